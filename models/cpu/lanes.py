"""Number of values that a kernel processes at once. In its own module, so that importing it loads no compiler."""

LANES = 16  # float32 numbers in a 512-bit register
