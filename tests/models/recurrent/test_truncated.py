"""Truncation changes only gradients."""

import pytest
import torch
from torch import Tensor

from models.names import CellName
from models.recurrent.layer import Recurrent
from models.recurrent.truncated import truncated

B, T, D_IN, H = 3, 9, 4, 5
LENGTHS = torch.tensor([9, 2, 6])


def layer_of(cell: CellName, layers: int = 2, *, bidirectional: bool = False) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(cell, D_IN, H, layers=layers, bidirectional=bidirectional).double()


def gradient(layer: Recurrent, steps: int, unit: int) -> Tensor:
    """Norm of the gradient of the first row's output at a unit, with respect to each of its inputs: [T]."""
    x = torch.randn(B, T, D_IN, dtype=torch.float64, requires_grad=True)
    outputs, _ = truncated(layer, x, LENGTHS, None, steps)
    (found,) = torch.autograd.grad(outputs[0, unit].sum(), x)
    norms: Tensor = found[0].norm(dim=1)
    return norms


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("steps", [1, 2, 4, 9, 20])
def test_outputs_and_final_state_equal_those_of_the_whole_input(cell: CellName, steps: int) -> None:
    layer = layer_of(cell)
    x, state = torch.randn(B, T, D_IN, dtype=torch.float64), torch.randn(2, B, layer.state_size, dtype=torch.float64)
    for first in (None, state):
        for ours, whole in zip(truncated(layer, x, LENGTHS, first, steps), layer(x, LENGTHS, first), strict=True):
            torch.testing.assert_close(ours, whole, atol=1e-10, rtol=0)


def test_no_gradient_leaves_its_piece() -> None:
    reached = gradient(layer_of("gru"), 4, 6) > 0
    assert reached.tolist() == [False] * 4 + [True] * 3 + [False] * 2


def test_one_chunk_is_full_backpropagation_through_time() -> None:
    layer = layer_of("lstm")
    x = torch.randn(B, T, D_IN, dtype=torch.float64, requires_grad=True)
    ours, whole = (run.sum() for run in (truncated(layer, x, LENGTHS, None, T)[0], layer(x, LENGTHS)[0]))
    for a, b in zip(torch.autograd.grad(ours, x), torch.autograd.grad(whole, x), strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=0)


def test_a_bidirectional_layer_is_rejected() -> None:
    with pytest.raises(ValueError, match="bidirectional"):
        truncated(layer_of("gru", bidirectional=True), torch.randn(B, T, D_IN).double(), LENGTHS, None, 3)
