"""Gradient clipping, against exploding gradients."""

import math
from collections.abc import Iterable

from torch import Tensor, nn


def clip_gradient(parameters: Iterable[nn.Parameter], *, norm: float = math.inf, value: float = math.inf) -> Tensor:
    """Clip the gradient in place, by its norm or by its values.

    Clipping by norm keeps the direction (Pascanu, Mikolov and Bengio 2013, arXiv 1211.5063, algorithm 1); clipping by value
    bounds each component separately (Mikolov 2012, Statistical language models based on neural networks).

    Args:
        parameters: their gradients together form the gradient.
        norm: maximum norm.
        value: maximum absolute value of a component.

    Returns:
        The gradient's norm before clipping, a scalar on the parameters' device.
    """
    clipped = list(parameters)
    before = nn.utils.clip_grad_norm_(clipped, norm)
    if value < math.inf:
        nn.utils.clip_grad_value_(clipped, value)
    return before
