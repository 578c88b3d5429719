"""The hand-written recurrences compute what autograd computes, values and gradients."""

import pytest
import torch

from models.recurrence import GRURecurrence, recur
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
