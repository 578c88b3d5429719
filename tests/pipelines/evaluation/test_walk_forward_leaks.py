"""Leaks: tomorrow's value is detected after any transformation, and columns without a leak pass."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from real_prices import parkinson, prices

from models.series.arrays import Values
from pipelines.evaluation.walk_forward.har import ewma, future_mean, har_features, random_walk
from pipelines.evaluation.walk_forward.leaks import (
    MOST,
    Columns,
    Compute,
    assert_no_leak,
    assert_point_in_time,
    explained_innovation,
)
from pipelines.stage import StageError

INDICES = ("sp500", "nasdaq")
HIDDEN: dict[str, Callable[[Values], Values]] = {
    "as it is": lambda x: x,
    "scaled": lambda x: -3 * x + 7,
    "exp": np.exp,
    "log": lambda x: np.log(x - np.nanmin(x) + 0.1),
    "distance from 0": np.abs,
    "noise": lambda x: x + 0.4 * np.random.default_rng(1).normal(size=len(x)),
    "added up": lambda x: np.cumsum(np.nan_to_num(x)),
}


def later(values: Values, days: int = 1) -> Values:
    return np.concatenate([values[days:], np.full(days, np.nan)])


def earlier(values: Values, days: int = 1) -> Values:
    return np.concatenate([np.full(days, np.nan), values[:-days]])


def autoregression(days: int = 2000, rho: float = 0.7, seed: int = 0) -> Values:
    shocks = np.random.default_rng(seed).normal(size=days)
    values = [0.0]
    for shock in shocks:
        values.append(rho * values[-1] + float(shock))
    return np.array(values[1:])


def centred_mean(values: Values) -> Values:
    """The mean over two days before to two days after each day, [T]."""
    means = np.full(len(values), np.nan)
    means[2:-2] = sliding_window_view(values, 5).mean(axis=-1)
    return means


@pytest.mark.parametrize("hide", [hide for name, hide in HIDDEN.items() if name != "distance from 0"])
def test_tomorrows_value_is_detected_after_any_transformation(hide: Callable[[Values], Values]) -> None:
    target = autoregression()
    with pytest.raises(StageError, match=r"the column 'planted' explains \d+% of the target's innovation"):
        assert_no_leak({"honest": target, "planted": hide(later(target))}, target)


@pytest.mark.parametrize("name", HIDDEN)
def test_tomorrows_value_is_detected_in_unpredictable_series(name: str) -> None:
    target = np.abs(np.random.default_rng(2).normal(size=2000))
    with pytest.raises(StageError, match="planted"):
        assert_no_leak({"planted": HIDDEN[name](later(target))}, target)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("name", [name for name in HIDDEN if name != "distance from 0"])
def test_tomorrows_variance_is_detected_in_real_prices(index: str, name: str) -> None:
    target = np.log(parkinson(prices()[index]))
    with pytest.raises(StageError, match="planted"):
        assert_no_leak({"planted": HIDDEN[name](later(target))}, target)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("horizon", [1, 5, 22])
def test_columns_of_real_prices_without_a_leak_explain_little(index: str, horizon: int) -> None:
    series = prices()[index]
    variance = parkinson(series)
    volume = np.maximum(series.columns["volume"], 1)  # two days of the NASDAQ have none
    honest = {name: np.log(values) for name, values in {**series.columns, "volume": volume, "variance": variance}.items()}
    returns = np.diff(honest["close"], prepend=honest["close"][0])
    honest |= {"week": har_features(honest["variance"])[:, 1], "ewma": ewma(variance, 0.06), "return": returns}
    targets = honest["variance"], returns, np.abs(returns), (returns > 0).astype(np.float64)
    for target in targets:
        shares = [explained_innovation(target, column, horizon=horizon) for column in honest.values()]
        assert max(shares) < MOST / 2
        assert_no_leak(honest, target, horizon=horizon)


def test_columns_known_today_explain_no_innovation() -> None:
    target, noise = autoregression(), np.random.default_rng(3).normal(size=2000)
    columns = {
        "today": target,
        "yesterday": earlier(target),
        "week": random_walk(target, 5),
        "month": random_walk(target, 22),
        "ewma": ewma(target, 0.1),
        "exp of today": np.exp(target),
        "unrelated": noise,
        "constant": np.ones(2000),
        "trend": np.arange(2000.0),
        "gaps": np.where(noise > 2, np.inf, noise),
    }
    for column in columns.values():
        assert explained_innovation(target, column) < 0.02
        assert explained_innovation(target, column, horizon=5) < 0.02
    assert_no_leak(columns, target)


def test_without_innovation_the_share_is_0() -> None:
    wave = np.round(np.sin(np.arange(2000.0) * np.pi / 4), 9).astype(np.float64)
    assert explained_innovation(wave, later(wave)) == 0
    assert explained_innovation(np.zeros(2000), wave) == 0


@pytest.mark.parametrize("noise", [0.5, 1.0, 2.0])
def test_the_share_is_the_explained_share_of_the_innovation(noise: float) -> None:
    target = autoregression(20_000)
    column = later(target) + noise * np.random.default_rng(4).normal(size=20_000)
    assert explained_innovation(target, column) == pytest.approx(1 / (1 + noise**2), abs=0.03)


@pytest.mark.parametrize("days", [2, 5])
def test_later_values_and_their_means_are_detected(days: int) -> None:
    target = autoregression()
    planted = {"later": later(target, days), "mean": future_mean(target, days)}
    for name, column in planted.items():
        with pytest.raises(StageError, match=name):
            assert_no_leak({name: column}, target)
    assert explained_innovation(target, later(target, 5), horizon=1) < 0.5  # one day ahead says little about five days ahead


def test_a_centred_mean_is_detected() -> None:
    target = autoregression()
    with pytest.raises(StageError, match="smooth"):
        assert_no_leak({"smooth": centred_mean(target)}, target)


@given(st.integers(0, 20), st.floats(0.1, 10), st.floats(-10, 10))
def test_scaling_does_not_change_the_share(seed: int, scale: float, shift: float) -> None:
    target, column = autoregression(500, seed=seed), np.random.default_rng(seed).normal(size=500)
    share = explained_innovation(target, column)
    assert 0 <= share <= 1
    scaled = explained_innovation(target * scale + shift, column * scale + shift)
    assert scaled == pytest.approx(share, abs=1e-3)  # rounding may break ties


def test_too_few_days_and_unequal_lengths_are_reported() -> None:
    target = autoregression(300)
    with pytest.raises(StageError, match="too few to check for leaks with 22 lags"):
        assert_no_leak({"short": np.where(np.arange(300) < 150, np.nan, target)}, target)
    for nothing in (np.nan, np.inf):
        with pytest.raises(StageError, match="0 complete days"):
            explained_innovation(target, np.full(300, nothing))
    with pytest.raises(ValueError, match="do not match"):
        explained_innovation(target, target[1:])


def of(function: Callable[[Values], Values]) -> Compute:
    """Two features: the value itself, and a function of all values."""

    def compute(columns: Columns) -> Values:
        return np.stack([columns["x"], function(columns["x"])], axis=1)

    return compute


@pytest.mark.parametrize(
    "honest",
    [
        lambda x: random_walk(x, 5),
        lambda x: ewma(x, 0.1),
        lambda x: np.cumsum(x) / np.arange(1, len(x) + 1),
        lambda x: x.astype(np.float32),
        earlier,
        lambda x: np.full(len(x), np.nan),
    ],
)
def test_features_of_the_past_are_point_in_time(honest: Callable[[Values], Values]) -> None:
    assert_point_in_time(of(honest), {"x": autoregression(300)}, [50, 100, 298])


@pytest.mark.parametrize(
    ("leaking", "first"),
    [
        (lambda x: (x - x.mean()) / x.std(), 0),
        (lambda x: x / x.max(), 0),
        (lambda x: np.argsort(np.argsort(x)) / len(x), 0),
        (centred_mean, 99),  # when cut after day 100, the mean of day 99 lacks day 101
        (later, 100),
        (lambda x: x[::-1].cumsum()[::-1], 0),
    ],
)
def test_features_that_use_the_future_are_detected(leaking: Callable[[Values], Values], first: int) -> None:
    values = autoregression(300)
    values[250] = 99  # a late maximum
    with pytest.raises(StageError, match=rf"^feature 1 of day {first} is .* without the days after 100: "):
        assert_point_in_time(of(leaking), {"x": values}, [200, 100, 298])


def test_a_leak_on_a_single_day_is_detected_by_a_cut_after_it() -> None:
    def compute(columns: Columns) -> Values:
        feature = columns["x"].copy()
        if len(feature) > 250:
            feature[120] += 1
        return feature[:, None]

    assert_point_in_time(compute, {"x": autoregression(300)}, [100, 280])
    with pytest.raises(StageError, match=r"feature 0 of day 120 .* after 200"):
        assert_point_in_time(compute, {"x": autoregression(300)}, [280, 200])


def test_features_have_a_row_for_each_day() -> None:
    values = {"x": autoregression(300)}
    with pytest.raises(StageError, match="compute one row per day"):
        assert_point_in_time(lambda columns: columns["x"], values, [100])
    with pytest.raises(StageError, match=r"features of 300 days have shape \(299, 1\)"):
        assert_point_in_time(lambda columns: columns["x"][1:, None], values, [100])


@pytest.mark.parametrize("days", [[], [-1], [299], [100, 300]])
def test_invalid_days_to_check_are_rejected(days: list[int]) -> None:
    with pytest.raises(ValueError, match="times_to_check must hold"):
        assert_point_in_time(of(ewma_of_all), {"x": autoregression(300)}, days)


def ewma_of_all(values: Values) -> Values:
    return ewma(values, 0.5)
