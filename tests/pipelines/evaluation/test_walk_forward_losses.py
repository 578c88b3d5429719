"""Losses: values computed by hand, and a mean loss that is smallest where the paper says."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.series.arrays import Values
from pipelines.evaluation.walk_forward.losses import CLIP, absolute, brier, log_loss, pinball, qlike, ratio, skill, squared

POSITIVE = st.floats(1e-6, 1e6)
SAMPLE = np.random.default_rng(0).gamma(2.0, size=4001)
GRID = np.linspace(0.5, 4, 701)


def one(value: float) -> Values:
    return np.array([value])


def test_values_by_hand() -> None:
    np.testing.assert_allclose(qlike(np.array([1.0, 2.0, 1.0]), np.array([1.0, 1.0, 2.0])), [0, 1 - np.log(2), np.log(2) - 0.5])
    np.testing.assert_allclose(pinball(np.array([3.0, 1.0]), np.array([2.0, 2.0]), 0.9), [0.9, 0.1])
    np.testing.assert_allclose(brier(np.array([1.0, 0.0]), np.array([0.7, 0.7])), [0.09, 0.49])
    np.testing.assert_allclose(log_loss(np.array([1.0, 0.0]), np.array([0.25, 0.25])), [np.log(4), np.log(4 / 3)])
    np.testing.assert_allclose(squared(one(3), one(1)), 4)
    np.testing.assert_allclose(absolute(one(1), one(3)), 2)


@given(POSITIVE, POSITIVE, POSITIVE)
def test_qlike_is_0_at_the_truth_positive_elsewhere_and_scale_invariant(y: float, forecast: float, unit: float) -> None:
    loss = qlike(one(y), one(forecast))
    assert qlike(one(y), one(y)) == 0
    assert loss >= 0
    np.testing.assert_allclose(qlike(one(y * unit), one(forecast * unit)), loss, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("loss", "best"),
    [
        (qlike, SAMPLE.mean()),
        (squared, SAMPLE.mean()),
        (absolute, np.median(SAMPLE)),
        (lambda y, f: pinball(y, f, 0.8), np.quantile(SAMPLE, 0.8)),
    ],
)
def test_the_mean_loss_is_smallest_at_the_functional_of_the_loss(loss: Callable[[Values, Values], Values], best: float) -> None:
    means = [loss(SAMPLE, np.full_like(SAMPLE, forecast)).mean() for forecast in GRID]
    assert GRID[np.argmin(means)] == pytest.approx(best, abs=0.006)  # the grid has steps of 0.005


@pytest.mark.parametrize("score", [brier, log_loss])
def test_a_probability_score_is_smallest_at_the_share_of_events(score: Callable[[Values, Values], Values]) -> None:
    events = (np.arange(100) < 30).astype(np.float64)
    grid = np.linspace(0, 1, 101)
    assert grid[np.argmin([score(events, np.full(100, p)).mean() for p in grid])] == pytest.approx(0.3)


def test_the_loss_of_a_certain_mistake_is_finite() -> None:
    assert log_loss(one(1), one(0))[0] == pytest.approx(-np.log(CLIP))
    assert log_loss(one(0), one(1))[0] == pytest.approx(-np.log(CLIP))
    assert log_loss(one(1), one(1))[0] == pytest.approx(CLIP)


@pytest.mark.parametrize(("y", "forecast"), [(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0), (1.0, np.nan)])
def test_qlike_rejects_values_that_are_not_positive(y: float, forecast: float) -> None:
    with pytest.raises(ValueError, match="positive values"):
        qlike(one(y), one(forecast))


def test_ratio_and_skill() -> None:
    assert ratio(np.array([1.0, 2.0]), np.array([2.0, 4.0])) == 0.5
    assert skill(np.array([1.0, 2.0]), np.array([2.0, 4.0])) == 0.5
    assert skill(np.array([3.0]), np.array([2.0])) == -0.5
    assert skill(np.array([2.0]), np.array([2.0])) == 0
    assert ratio(np.zeros(2), np.zeros(2)) == 1
    assert skill(np.ones(2), np.zeros(2)) == -np.inf
