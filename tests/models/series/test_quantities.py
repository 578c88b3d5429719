"""Quantities and features of a day equal their formulas, in any currency."""

from itertools import pairwise
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recipes import columns, recipe

from models.names import QuantityName
from models.series.quantities import LEAST, QUANTITIES, SHORT, range_variance, returns, squared_return, trailing_mean

PRICED: tuple[QuantityName, ...] = ("range_variance", "squared_return")
VALUED: tuple[QuantityName, ...] = ("value", "positive_value")
SEEDS = st.integers(0, 1000)


@given(SEEDS)
def test_range_variance_is_parkinsons_formula(seed: int) -> None:
    prices = columns(recipe(), seed=seed)
    expected = [log(high / low) ** 2 / (4 * log(2)) for high, low in zip(prices["high"], prices["low"], strict=True)]
    np.testing.assert_allclose(range_variance(prices), np.maximum(expected, LEAST))


def test_range_variance_is_the_variance_of_a_random_walk() -> None:
    steps = np.random.default_rng(0).normal(scale=0.02 / np.sqrt(2000), size=(1000, 2000))
    path = np.concatenate([np.zeros((1000, 1)), np.cumsum(steps, axis=1)], axis=1)
    prices = {"high": np.exp(path.max(axis=1)), "low": np.exp(path.min(axis=1)), "close": np.exp(path[:, -1])}
    assert range_variance(prices).mean() == pytest.approx(0.02**2, rel=0.08)  # sampled at 2,000 times, the range is a bit short


@given(SEEDS)
def test_squared_return_is_that_of_the_closing_prices(seed: int) -> None:
    close = columns(recipe(), seed=seed)["close"]
    moves = [0.0, *(log(after / before) for before, after in pairwise(close))]
    np.testing.assert_allclose(returns(close), moves, atol=1e-15)
    np.testing.assert_allclose(squared_return({"close": close}), np.maximum(np.square(moves), LEAST), rtol=1e-9)


def test_a_day_without_trades_has_the_minimum_variance_and_a_finite_logarithm() -> None:
    still = np.full(30, 10.0)
    prices = {"high": still, "low": still, "close": still}
    for name in PRICED:
        quantity = QUANTITIES[name]
        values = quantity.values(prices)
        assert (values == LEAST).all()
        np.testing.assert_allclose(quantity.steps(prices, values, np.ones(30))[:, 0], log(LEAST))


@given(SEEDS, st.floats(0.01, 1000))
def test_the_currency_has_no_effect(seed: int, unit: float) -> None:
    prices = columns(recipe(), seed=seed)
    other = {name: unit * values for name, values in prices.items()}
    for name in PRICED:
        quantity, ones = QUANTITIES[name], np.ones(len(prices["close"]))
        here, there = quantity.values(prices), quantity.values(other)
        np.testing.assert_allclose(here, there, rtol=1e-6)
        np.testing.assert_allclose(quantity.steps(prices, here, ones), quantity.steps(other, there, ones), rtol=1e-6, atol=1e-9)


@given(SEEDS, st.integers(1, 50))
def test_a_trailing_mean_is_over_the_last_values_or_all_if_fewer(seed: int, count: int) -> None:
    values = np.random.default_rng(seed).gamma(1.0, size=40)
    expected = [values[max(0, t + 1 - count) : t + 1].mean() for t in range(40)]
    np.testing.assert_allclose(trailing_mean(values, count), expected)


@given(SEEDS)
def test_a_step_has_log_variance_return_and_magnitude_relative_to_the_scale(seed: int) -> None:
    prices, scale = columns(recipe(), seed=seed), np.random.default_rng(seed).gamma(2.0, size=90)
    move = returns(prices["close"]) / np.sqrt(scale)
    for name, recent in zip(PRICED, (1, SHORT), strict=True):
        values = QUANTITIES[name].values(prices)
        smooth = [values[max(0, t + 1 - recent) : t + 1].mean() for t in range(90)]
        expected = np.stack([np.log(smooth / scale), move, np.abs(move)], axis=1)
        np.testing.assert_allclose(QUANTITIES[name].steps(prices, values, scale), expected, rtol=1e-6, atol=1e-12)


def test_a_step_of_a_value_has_the_value_and_the_other_columns() -> None:
    values, inputs = np.arange(1.0, 6), {"heat": np.arange(5.0), "rain": np.ones(5)}
    for name, own in zip(VALUED, (values, np.log(values)), strict=True):
        expected = np.stack([own, inputs["heat"], inputs["rain"]], axis=1)
        np.testing.assert_array_equal(QUANTITIES[name].steps(inputs, values, np.ones(5)), expected)
