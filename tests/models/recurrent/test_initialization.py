"""Chrono initialization spreads memories from 2 to T steps, and changes only the biases concerned."""

import math

import pytest
import torch
from torch import Tensor, nn

from models.names import CellName
from models.recurrent.cells import CELLS
from models.recurrent.initialization import SIGNS, chrono_
from models.recurrent.layer import Recurrent

H, T = 500, 200
GATED = list(SIGNS)


def biases(layer: Recurrent) -> list[tuple[Tensor, ...]]:
    """The sum of both biases of each layer and direction, gate by gate."""
    gates = len(SIGNS[layer.cell])
    holders = [weights for holder in layer.layers if isinstance(holder, nn.RNNBase) for weights in holder.all_weights]
    return [(b_ih + b_hh).detach().chunk(gates) for _, _, b_ih, b_hh in holders]


def initialized(cell: CellName, layers: int = 1, *, bidirectional: bool = False) -> Recurrent:
    torch.manual_seed(0)
    layer = Recurrent(cell, 3, H, layers=layers, bidirectional=bidirectional)
    chrono_(layer, T)
    return layer


@pytest.mark.parametrize("cell", GATED)
def test_memories_are_uniform_from_2_to_t_steps(cell: CellName) -> None:
    for gates in biases(initialized(cell, layers=2, bidirectional=True)):
        kept = torch.sigmoid(gates[1].double())  # the second gate keeps the state: f, or a GRU's z
        steps = 1 / (1 - kept)  # until a unit has decayed to 1/e
        assert 2 - 1e-3 <= steps.min() <= steps.max() <= T + 1e-3 * T
        assert steps.mean().item() == pytest.approx((2 + T) / 2, rel=0.1)
        assert steps.std().item() == pytest.approx((T - 2) / math.sqrt(12), rel=0.1)


@pytest.mark.parametrize("cell", ["lstm", "peephole"])
def test_the_input_bias_is_the_negative_forget_bias(cell: CellName) -> None:
    for i, f, _, _ in biases(initialized(cell)):
        torch.testing.assert_close(i, -f)


@pytest.mark.parametrize("cell", GATED)
def test_other_parameters_are_not_changed(cell: CellName) -> None:
    torch.manual_seed(0)
    plain, chrono = Recurrent(cell, 3, H), initialized(cell)
    for (name, old), new in zip(plain.named_parameters(), chrono.parameters(), strict=True):
        if "bias" not in name:
            assert torch.equal(old, new)
    (before,), (after,) = biases(plain), biases(chrono)
    for sign, old_bias, new_bias in zip(SIGNS[cell], before, after, strict=True):
        assert torch.equal(old_bias, new_bias) == (sign == 0)


@pytest.mark.parametrize("cell", GATED)
def test_a_unit_without_input_decays_at_its_own_rate(cell: CellName) -> None:
    """With all weights zero: C_t = f C_{t-1}, or h_t = z h_{t-1}, and f or z is exp(-1/steps) for long memories."""
    layer = initialized(cell)
    for name, parameter in layer.named_parameters():
        if "bias" not in name:
            nn.init.zeros_(parameter)
    kept = torch.sigmoid(biases(layer)[0][1])
    size = layer.state_size
    states = []
    for first in (torch.zeros(1, 1, size), torch.ones(1, 1, size)):
        _, final = layer(torch.zeros(1, 20, 3), torch.tensor([20]), first)
        states.append(final[0, 0, -H:])  # C of an LSTM
    torch.testing.assert_close(states[1] - states[0], kept**20, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("cell", sorted(set(CELLS) - set(SIGNS)))
def test_a_cell_without_gates_is_rejected(cell: CellName) -> None:
    with pytest.raises(ValueError, match="no gates"):
        chrono_(Recurrent(cell, 3, 4), T)


def test_a_short_memory_is_rejected() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        chrono_(Recurrent("lstm", 3, 4), 2)
