"""What a chunk costs, and what a cluster makes of it. See benchmarks/scale.py."""
