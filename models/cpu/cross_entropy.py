"""The cross-entropy of logits and its gradient, fused into one compiled kernel for CPUs.

Torch makes a pass over memory for each of softmax, maximum, logarithm, gather, scatter and the change of type. Here a row is read
twice while it is in a core's cache, and written once.
"""

import math
from typing import Any

import numpy as np

from models.cpu.arithmetic import add, exp_above, maximum, scale, zeros
from models.cpu.compiled import compiled_strictly
from models.cpu.lanes import LANES
from models.cpu.registers import load, load_any, store, store_any

NOWHERE = -1e30  # a logit with probability 0, to pad a row to a multiple of LANES


@compiled_strictly
def cross_entropy(logits: Any, width: int, targets: Any, weight: float, scratch: Any) -> float:
    """Sum over rows of Z - weight * (logit of the target), with Z the logarithm of the normalizer.

    Args:
        logits: [N, width], flat, float32 or bfloat16 as uint16. Overwritten with p - weight * (1 at the target).
        width: columns, a multiple of LANES.
        targets: ids, [N].
        weight: of the target.
        scratch: float32, [width + LANES].
    """
    total = 0.0
    for n in range(len(targets)):
        start, target = n * width, targets[n]
        top = load_any(logits, start)
        for k in range(LANES, width, LANES):
            top = maximum(top, load_any(logits, start + k))
        store(scratch, width, top)
        highest = scratch[width]
        for k in range(width + 1, width + LANES):
            highest = max(highest, scratch[k])
        lane = target % LANES
        store(scratch, width, load_any(logits, start + target - lane))
        wanted = scratch[width + lane]
        sums = zeros((0,))[0]
        for k in range(0, width, LANES):
            e = exp_above(load_any(logits, start + k), highest)
            store(scratch, k, e)
            sums = add(sums, e)
        store(scratch, width, sums)
        normalizer = scratch[width]
        for k in range(width + 1, width + LANES):
            normalizer += scratch[k]
        total += highest + math.log(normalizer) - weight * wanted
        scratch[target] -= np.float32(weight) * normalizer
        for k in range(0, width, LANES):
            store_any(logits, start + k, scale(load(scratch, k), np.float32(1) / normalizer))
    return total
