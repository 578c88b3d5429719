"""Almgren and Chriss's closed form is the optimal schedule; costs of schedules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.series.execution import Impact, closed_form, cost, objective, remaining, urgency

IMPACT = Impact(spread=0.0001, temporary=0.01, permanent=0.001)
LONGEST = 20
HORIZONS, URGENCIES = st.integers(1, LONGEST), st.floats(0, 10)


@given(horizon=HORIZONS, urgencies=URGENCIES, seed=st.integers(0, 2**32 - 1))
def test_no_other_schedule_is_better(horizon: int, urgencies: float, seed: int) -> None:
    found = closed_form(np.array([urgencies]), np.array([horizon]), LONGEST)
    rng = np.random.default_rng(seed)
    changes = rng.normal(size=(50, horizon)) * 10.0 ** rng.uniform(-4, 0, size=(50, 1))
    others = np.repeat(found, 50, axis=0)
    others[:, :horizon] += changes - changes.mean(axis=1, keepdims=True)  # they still sum to one
    left = 1 - np.cumsum(others, axis=1)  # overselling means a short position, which also has risk
    losses = (others**2).sum(axis=1) + urgencies * (left**2).sum(axis=1)
    assert (losses >= objective(found, np.array([urgencies])) - 1e-12).all()


@given(horizon=HORIZONS, urgencies=st.floats(0, 1e6))
def test_its_shares_sum_to_one_decrease_and_end_at_the_horizon(horizon: int, urgencies: float) -> None:
    (found,) = closed_form(np.array([urgencies]), np.array([horizon]), LONGEST)
    assert found.sum() == pytest.approx(1)
    assert (np.diff(found) <= 1e-12).all()
    assert (found[horizon:] == 0).all()


def test_it_equals_the_papers_formula() -> None:
    kappa = np.arccosh(1 + 0.3 / 2)
    expected = 2 * np.sinh(kappa / 2) / np.sinh(4 * kappa) * np.cosh(kappa * (4 - np.arange(1, 5) + 0.5))
    np.testing.assert_allclose(closed_form(np.array([0.3]), np.array([4]), 4)[0], expected, atol=1e-12)


def test_without_risk_aversion_all_days_are_equal() -> None:
    found = closed_form(urgency(np.zeros(1), np.array([0.02]), IMPACT), np.array([5]), LONGEST)
    np.testing.assert_allclose(found[0, :5], 0.2)


def test_more_risk_aversion_trades_earlier() -> None:
    urgencies = urgency(np.array([1.0, 10.0, 100.0]), np.full(3, 0.01), IMPACT)
    assert (np.diff(closed_form(urgencies, np.full(3, 10), LONGEST)[:, 0]) > 0).all()


def test_cost_and_objective_agree() -> None:
    """The difference of E + lambda V between two schedules equals that of the objective, in units of eta~ X."""
    aversion, sigma, amount = np.array([20.0]), np.array([0.015]), np.array([0.4])
    urgencies = urgency(aversion, sigma, IMPACT)
    even, best = np.full((1, 5), 0.2), closed_form(urgencies, np.array([5]), 5)
    totals = []
    for shares in (even, best):
        found = cost(shares, amount, sigma, IMPACT)
        totals.append(found.expected + aversion * amount * found.deviation**2)
    difference = IMPACT.effective * amount * (objective(even, urgencies) - objective(best, urgencies))
    np.testing.assert_allclose(totals[0] - totals[1], difference, rtol=1e-9)


def test_the_remainder_decreases_to_zero() -> None:
    np.testing.assert_allclose(remaining(np.array([[0.5, 0.3, 0.2, 0.0]])), [[0.5, 0.2, 0.0, 0.0]], atol=1e-12)
