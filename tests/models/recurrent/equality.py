"""Comparison of two computations."""

from collections.abc import Sequence

import torch
from torch import Tensor

EXACT = 1e-10  # float64


def assert_same(
    ours: Sequence[Tensor], our_inputs: Sequence[Tensor], theirs: Sequence[Tensor], their_inputs: Sequence[Tensor]
) -> None:
    """Assert equal outputs and equal gradients of a random loss with respect to the inputs."""
    factors = [torch.randn_like(output) for output in theirs]
    sides = []
    for outputs, inputs in ((ours, our_inputs), (theirs, their_inputs)):
        loss = torch.stack([(output * factor).sum() for output, factor in zip(outputs, factors, strict=True)]).sum()
        sides.append((*outputs, *torch.autograd.grad(loss, inputs)))
    for a, b in zip(*sides, strict=True):
        torch.testing.assert_close(a, b, atol=EXACT, rtol=0, check_device=False)
