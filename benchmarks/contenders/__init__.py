"""Ways to run the same sweep: this project, and what people use instead. See benchmarks/peers.py."""
