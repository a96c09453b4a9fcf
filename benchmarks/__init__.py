"""Measurements that anybody can repeat; each is also a program: `python -m benchmarks.<name>`."""
