"""Compiled kernels for CPUs, and what they are written with: vector registers, and arithmetic on them."""
