"""Compiled kernels for CPUs, and the vector registers and arithmetic they are written with."""
