"""The handwritten recurrences equal autograd, values and gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.cpu.compiled import compiled
from models.cpu.lanes import LANES
from models.cpu.registers import load_any, store_any
from models.recurrence import GRURecurrence, recur
from models.recurrent.fused import FusedGRURecurrence
from models.recurrent.layer import Recurrent


@pytest.mark.parametrize("length", [1, 5])
def test_bf16_matrix_products_stay_close(length: int) -> None:
    torch.manual_seed(0)
    layer, x, lengths = Recurrent("gru", 8, 16), torch.randn(3, length, 8), torch.full((3,), length)
    exact, _ = layer(x, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = layer(x, lengths)
    torch.testing.assert_close(rough.float(), exact, atol=2e-2, rtol=0)
    assert rough.dtype == torch.float32


def test_gradient_of_the_recurrence_by_finite_differences() -> None:
    torch.manual_seed(0)
    shapes = [(3, 2, 2, 6), (2, 2, 2), (2, 6, 2), (2, 6)]
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    mask = torch.tensor([[1, 1], [1, 1], [1, 0]], dtype=torch.bool)[:, None, :, None].expand(-1, 2, -1, -1)
    assert torch.autograd.gradcheck(lambda *tensors: recur(GRURecurrence, torch.float64, *tensors, mask), inputs)


@pytest.mark.parametrize(("directions", "size"), [(1, 16), (2, 48)])
def test_the_compiled_steps_equal_the_equations(directions: int, size: int) -> None:
    torch.manual_seed(directions)
    lengths = torch.tensor([4, 1, 3])
    shapes = [(4, directions, 3, 3 * size), (directions, 3, size), (directions, 3 * size, size), (directions, 3 * size)]
    tensors = [torch.randn(shape) * 0.5 for shape in shapes]
    mask = (torch.arange(4)[:, None] < lengths)[:, None, :, None].expand(-1, directions, -1, -1)
    found: list[list[Tensor | None]] = []
    fused: Callable[..., Tensor] = FusedGRURecurrence.apply
    ways: list[Callable[..., Tensor]] = [
        lambda *given: fused(torch.float32, *given, lengths),
        lambda *given: recur(GRURecurrence, torch.float64, *(tensor.double() for tensor in given), mask),
    ]
    for apply in ways:
        given = [tensor.clone().requires_grad_() for tensor in tensors]
        states = apply(*given)
        torch.autograd.backward((states * torch.linspace(-1, 1, states.numel()).view_as(states)).sum())
        found.append([states.float(), *(tensor.grad for tensor in given)])
    for ours, exact in zip(*found, strict=True):
        torch.testing.assert_close(ours, exact, atol=2e-5, rtol=1e-5)


def test_nan_is_propagated() -> None:
    """Otherwise a diverged training would continue with meaningless numbers."""
    layer, x, lengths = Recurrent("gru", 4, 16), torch.randn(2, 3, 4), torch.full((2,), 3)
    x[1, 0, 0] = torch.nan
    outputs, _ = layer(x, lengths)
    assert outputs[0].isfinite().all()
    assert outputs[1].isnan().all()


def test_bfloat16_is_rounded_to_the_nearest() -> None:
    numbers = torch.cat((torch.tensor([1.0 + 2**-8, 1.0 + 3 * 2**-8, 0.0, -0.0]), torch.randn(10 * LANES - 4)))
    rounded = np.zeros(len(numbers), np.uint16)
    round_all(numbers.numpy(), rounded)
    assert torch.equal(torch.from_numpy(rounded).view(torch.bfloat16), numbers.bfloat16())


@compiled
def round_all(numbers: Any, rounded: Any) -> None:
    for k in range(0, len(numbers), LANES):
        store_any(rounded, k, load_any(numbers, k))
