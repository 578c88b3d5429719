"""Benchmarks of speed, memory and quality. Each one runs on its own and writes JSON to benchmarks/results/."""
