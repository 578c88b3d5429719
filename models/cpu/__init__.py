"""What compiled kernels for CPUs are written with: vector registers, and arithmetic on them."""
