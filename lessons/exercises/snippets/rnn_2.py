"""How much of the gradient arrives 39 steps before the loss."""

import math

import numpy as np

from lessons.bptt import gradient_norms

norms = gradient_norms(gain=0.8, T=40, H=32, rng=np.random.default_rng(0))  # of dL/dh_t, the last one beside the loss
print(f"the first over the last: {norms[0] / norms[-1]:.1e}, its decimal logarithm: {math.log10(norms[0] / norms[-1]):.2f}")
