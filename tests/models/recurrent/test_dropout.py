"""Locked dropout and weight dropout: one mask for all steps, and none in evaluation."""

import pytest
import torch
from torch import Tensor, nn

from models.dropout import LockedDropout
from models.names import CellName
from models.recurrent.cells import CELLS
from models.recurrent.layer import Recurrent

B, T, D = 4, 6, 50


def test_a_row_drops_the_same_features_at_every_step() -> None:
    torch.manual_seed(0)
    dropped = LockedDropout(0.25)(torch.ones(B, T, D))
    assert torch.equal(dropped, dropped[:, :1].expand(-1, T, -1))
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert (dropped[0] != dropped[1]).any()
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.1)


def test_in_evaluation_nothing_is_dropped() -> None:
    x = torch.randn(B, T, D)
    assert torch.equal(LockedDropout(0.5).eval()(x), x)


def between_layers(layer: Recurrent) -> list[Tensor]:
    """The inputs of the second layer and those above it, recorded while `layer` runs."""
    seen: list[Tensor] = []
    layer.dropout.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    layer(torch.randn(B, T, 3), torch.full((B,), T))
    return seen


def test_dropout_is_between_the_layers() -> None:
    torch.manual_seed(0)
    seen = between_layers(Recurrent("gru", 3, D, layers=3, dropout=0.5))
    assert len(seen) == 2
    for outputs in seen:
        zero = outputs == 0
        assert zero.float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert not between_layers(Recurrent("gru", 3, D, dropout=0.5))


@pytest.mark.parametrize("name", CELLS)
def test_evaluation_drops_no_weights(name: CellName) -> None:
    torch.manual_seed(0)
    plain, dropping = Recurrent(name, 3, 8, layers=2), Recurrent(name, 3, 8, layers=2, weight_dropout=0.5, dropout=0.5)
    dropping.load_state_dict(plain.state_dict())
    x, lengths = torch.randn(B, T, 3), torch.full((B,), T)
    assert torch.equal(dropping.eval()(x, lengths)[0], plain(x, lengths)[0])
    assert not torch.equal(dropping.train()(x, lengths)[0], plain(x, lengths)[0])


def test_the_same_weights_are_dropped_at_every_step() -> None:
    """With U the identity and no inputs, h_t = u * h_{t-1}, where u is the diagonal after dropout."""
    torch.manual_seed(0)
    layer = Recurrent("rnn_relu", 1, D, weight_dropout=0.5)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    nn.init.eye_(layer.get_parameter("layers.0.weight_hh_l0"))
    choices = []
    for _ in range(2):
        outputs, _ = layer(torch.zeros(B, T, 1), torch.full((B,), T), torch.ones(1, B, D))
        u = outputs[0, 0]
        assert set(u.unique().tolist()) == {0.0, 2.0}
        torch.testing.assert_close(outputs, torch.stack([u**t for t in range(1, T + 1)]).expand(B, -1, -1))
        choices.append(u)
    assert not torch.equal(*choices)


@pytest.mark.parametrize("name", CELLS)
def test_only_the_weights_from_state_to_state_are_dropped(name: CellName) -> None:
    layer = Recurrent(name, 3, 8, bidirectional=True, weight_dropout=0.5)
    weights = dict(layer.named_parameters())
    outputs, _ = layer(torch.randn(B, T, 3), torch.full((B,), T), torch.randn(2, B, layer.state_size))
    gradients = torch.autograd.grad(outputs.sum(), list(weights.values()))
    holes = {n for n, gradient in zip(weights, gradients, strict=True) if (gradient == 0).float().mean() > 0.3}
    assert holes == {n for n in weights if "weight_hh" in n}
