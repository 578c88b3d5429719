"""Two language models interpolated: p = weight * p_1 + (1 - weight) * p_2."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WEIGHTS = tuple(i / 20 for i in range(21))  # candidates: steps of 0.05 from the second model alone to the first alone


def bits(parts: NDArray[np.float64], weight: float) -> float:
    """Mean of -log2 p.

    Args:
        parts: p_1 and p_2 of each unit, [N, 2].
        weight: weight of the first model.
    """
    return float(-np.log2(parts @ [weight, 1 - weight]).mean())


def perplexity(parts: NDArray[np.float64], weight: float) -> float:
    """2 to the power of `bits`: the number of equally likely units with the same uncertainty."""
    return float(2 ** bits(parts, weight))


def best_weight(parts: NDArray[np.float64], weights: Sequence[float] = WEIGHTS) -> float:
    """The weight with the fewest bits on units held out from both models' training."""
    return min(weights, key=lambda weight: bits(parts, weight))
