"""Affine maps W x + b of a step, with the same weights at every step."""

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional

Affine = Callable[[Tensor], Tensor]
MakeAffine = Callable[[Tensor, Tensor, float], Affine]  # from W [out, in], b [out] and a bound on |x_i|


def exact(weight: Tensor, bias: Tensor, _bound: float) -> Affine:
    """W x + b, not quantized."""
    return partial(functional.linear, weight=weight, bias=bias)
