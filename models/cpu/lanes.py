"""How many numbers a kernel takes at once. Alone in its module, so that knowing it needs no compiler."""

LANES = 16  # float32 numbers of a register of 512 bits
