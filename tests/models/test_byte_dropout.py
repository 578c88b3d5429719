"""Dropout with one byte per feature behaves like dropout: shares, scale, independence, gradients."""

import pytest
import torch

from models.dropout import STEPS, Dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_the_share_is_dropped_and_the_mean_preserved(p: float) -> None:
    torch.manual_seed(0)
    dropped = Dropout(p)(torch.ones(1000, 1001))
    assert (dropped == 0).float().mean().item() == pytest.approx(p, abs=1 / STEPS + 0.002)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert len(dropped.unique()) == 2


def test_neighbours_and_all_eight_bytes_are_dropped_independently() -> None:
    torch.manual_seed(0)
    zeros = (Dropout(0.5)(torch.ones(80_000, 8)) == 0).float()
    assert zeros.mean(0).tolist() == pytest.approx([0.5] * 8, abs=0.01)
    correlations = torch.corrcoef(zeros.t()) - torch.eye(8)
    assert correlations.abs().max().item() < 0.02


def test_gradients_reach_only_kept_features() -> None:
    x = torch.randn(3, 7, dtype=torch.float64, requires_grad=True)
    y = Dropout(0.5)(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(y, x * gradient)
    assert torch.unique(gradient).tolist() in ([0.0, 2.0], [0.0], [2.0])


def test_the_same_seed_drops_the_same() -> None:
    runs = []
    for _ in range(2):
        torch.manual_seed(5)
        runs.append(Dropout(0.3)(torch.ones(99)))
    assert torch.equal(*runs)


@pytest.mark.parametrize("module", [Dropout(0.5).eval(), Dropout(0.0)])
def test_without_dropout_nothing_changes(module: Dropout) -> None:
    x = torch.randn(4, 5)
    assert torch.equal(module(x), x)
