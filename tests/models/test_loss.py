"""The fused output layer and loss equal torch's two, values and gradients."""

import pytest
import torch
from torch.nn import functional

from models.loss import ROWS_AT_ONCE, token_loss


@pytest.mark.parametrize("rows", [1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_cross_entropy_of_a_linear_layer(rows: int, smoothing: float) -> None:
    torch.manual_seed(rows)
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((rows, 5), (11, 5), (11,))]
    targets = torch.randint(11, (rows,))
    ours, units = token_loss(*inputs, targets, label_smoothing=smoothing)
    theirs = functional.cross_entropy(functional.linear(*inputs), targets, reduction="sum", label_smoothing=smoothing)
    assert units == rows
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)
    for a, b in zip(torch.autograd.grad(ours / 7, inputs), torch.autograd.grad(theirs / 7, inputs), strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=0)
