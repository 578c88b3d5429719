"""Clipping of gradients, against those that explode."""

import math
from collections.abc import Iterable

from torch import Tensor, nn


def clip_gradient(parameters: Iterable[nn.Parameter], *, norm: float = math.inf, value: float = math.inf) -> Tensor:
    """Clip the gradient in place, by its norm or by its values.

    By norm it keeps its direction (Pascanu, Mikolov and Bengio 2013, arXiv 1211.5063, algorithm 1); by value each of its
    components is cut off alone (Mikolov 2012, Statistical language models based on neural networks).

    Args:
        parameters: whose gradients together are the gradient.
        norm: the longest that it may be.
        value: the most that a component may be, whatever its sign.

    Returns:
        the gradient's norm before clipping, a scalar where the parameters are.
    """
    clipped = list(parameters)
    before = nn.utils.clip_grad_norm_(clipped, norm)
    if value < math.inf:
        nn.utils.clip_grad_value_(clipped, value)
    return before
