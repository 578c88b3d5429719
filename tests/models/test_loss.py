"""The fused output layer and loss equal torch's separate ones, values and gradients."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.loss import ROWS_AT_ONCE, token_loss


def random(rows: int, classes: int, size: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, weight and bias of the output layer."""
    shapes = (rows, size), (classes, size), (classes,)
    outputs, weight, bias = (torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes)
    return outputs, weight, bias


@pytest.mark.parametrize("rows", [1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])  # torch, and the kernel
@pytest.mark.parametrize("size", [11, 32, 200])
def test_equals_cross_entropy_of_a_linear_layer(rows: int, smoothing: float, dtype: torch.dtype, atol: float, size: int) -> None:
    torch.manual_seed(rows)
    inputs = outputs, weight, bias = random(rows, size, 5, dtype)
    targets = torch.randint(size, (rows,))
    ours, units = token_loss(outputs, weight, bias, targets, label_smoothing=smoothing)
    logits = functional.linear(outputs, weight, bias)
    theirs = functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing)
    assert units == rows
    torch.testing.assert_close(ours, theirs, atol=atol, rtol=1e-6)
    for a, b in zip(torch.autograd.grad(ours / 7, inputs), torch.autograd.grad(theirs / 7, inputs), strict=True):
        torch.testing.assert_close(a, b, atol=atol, rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_logits_in_bfloat16_come_close(smoothing: float) -> None:
    torch.manual_seed(0)
    inputs = outputs, weight, bias = random(ROWS_AT_ONCE + 9, 50, 8)
    targets = torch.randint(50, (len(outputs),))
    exact, _ = token_loss(outputs, weight, bias, targets, label_smoothing=smoothing)
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = token_loss(outputs, weight, bias, targets, label_smoothing=smoothing)
    torch.testing.assert_close(rough, exact, atol=0, rtol=1e-2)
    for a, b in zip(torch.autograd.grad(rough, inputs), torch.autograd.grad(exact, inputs), strict=True):
        assert float((a - b).norm() / b.norm()) < 2e-2


def test_without_a_gradient_the_loss_is_the_same() -> None:
    torch.manual_seed(0)
    outputs, weight, bias = random(3 * ROWS_AT_ONCE, 11, 5)
    targets = torch.randint(11, (len(outputs),))
    with torch.no_grad():
        alone, _ = token_loss(outputs, weight, bias, targets)
    assert float(alone) == float(token_loss(outputs, weight, bias, targets).total)


def test_extreme_logits_stay_exact() -> None:
    outputs, weight, bias = torch.tensor([[1.0], [-1.0]]), torch.tensor([[300.0], [-300.0], [0.0]]), torch.zeros(3)
    targets = torch.tensor([1, 1])
    loss, _ = token_loss(outputs, weight, bias, targets)
    theirs = functional.cross_entropy(functional.linear(outputs, weight, bias), targets, reduction="sum")
    torch.testing.assert_close(loss, theirs)


@pytest.mark.parametrize("diverged", ["outputs", "weight"])
def test_a_diverged_model_has_no_finite_loss(diverged: str) -> None:
    inputs = {"outputs": torch.ones(2, 5), "weight": torch.zeros(11, 5)}
    inputs[diverged][-1, 3] = torch.nan  # in the last row, or in the weights of a class that is not a target
    loss, _ = token_loss(inputs["outputs"], inputs["weight"], torch.zeros(11), torch.tensor([0, 1]))
    assert not torch.isfinite(loss)
