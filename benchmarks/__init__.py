"""Benchmarks, and the workloads that tests share with them."""
