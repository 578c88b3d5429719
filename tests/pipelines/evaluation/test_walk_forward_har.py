"""Baselines of positive series: equal to plain loops, independent of the future, and best on data from their own model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from real_prices import parkinson, prices

from models.series.arrays import Values
from pipelines.evaluation.walk_forward.folds import Fold, folds, origins
from pipelines.evaluation.walk_forward.har import ewma, future_mean, har_features, log_har, random_walk
from pipelines.evaluation.walk_forward.losses import qlike
from pipelines.stage import StageError

DAYS = np.arange("2000-01-01", "2018-01-01", dtype="datetime64[D]").astype("datetime64[s]")
SERIES = arrays(np.float64, st.integers(1, 40), elements=st.floats(0.01, 100))


def simulated(seed: int, noise: float) -> Values:
    """A log-HAR process with lags of 1 and 5 days, [T]."""
    generator = np.random.default_rng(seed)
    logs = [0.0] * 5
    for _ in range(len(DAYS)):
        logs.append(0.1 + 0.4 * logs[-1] + 0.5 * float(np.mean(logs[-5:])) + noise * generator.normal())
    return np.exp(logs[5:])


@given(SERIES, st.integers(1, 12))
def test_the_target_is_the_mean_of_the_next_values_and_a_random_walk_that_of_the_last(values: Values, horizon: int) -> None:
    target, walk = future_mean(values, horizon), random_walk(values, horizon)
    assert len(target) == len(walk) == len(values)
    for t in range(len(values)):
        later, earlier = values[t + 1 : t + 1 + horizon], values[max(0, t + 1 - horizon) : t + 1]
        np.testing.assert_allclose(target[t], later.mean() if len(later) == horizon else np.nan)
        np.testing.assert_allclose(walk[t], earlier.mean() if len(earlier) == horizon else np.nan)


@given(SERIES, st.floats(0.01, 1))
def test_ewma_is_its_sum(values: Values, alpha: float) -> None:
    weights = alpha * (1 - alpha) ** np.arange(len(values))
    for t, found in enumerate(ewma(values, alpha)):
        expected = weights[:t] @ values[t:0:-1] + (1 - alpha) ** t * values[0]
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_har_features_are_trailing_means() -> None:
    found = har_features(np.arange(30.0), (1, 5, 22))
    assert found.shape == (30, 3)
    np.testing.assert_allclose(found[25], [25, 23, 14.5])
    assert np.isnan(found[20]).tolist() == [False, False, True]
    assert not np.isnan(found[21]).any()


@pytest.mark.parametrize("horizon", [1, 3])
def test_log_har_is_least_squares_on_the_training_rows_alone(horizon: int) -> None:
    values = simulated(0, 0.3)
    parts = folds(DAYS, first="2017-01-01", every=50, horizon=horizon, window=200)
    found = log_har(values, parts, horizon, (1, 5))
    assert found.shape == origins(parts).shape
    part = parts[2]
    x = np.array([[1, np.log(values[t]), np.log(values[t - 4 : t + 1]).mean()] for t in part.train])
    y = np.array([np.log(values[t + 1 : t + 1 + horizon].mean()) for t in part.train])
    beta = np.linalg.solve(x.T @ x, x.T @ y)
    t = part.test[7]
    expected = np.exp(beta @ [1, np.log(values[t]), np.log(values[t - 4 : t + 1]).mean()]) * np.exp(y - x @ beta).mean()
    assert found[2 * 50 + 7] == pytest.approx(expected)


def test_forecasts_stay_the_same_when_what_comes_later_changes() -> None:
    values = simulated(1, 0.3)
    parts = folds(DAYS, first="2017-01-01", every=22, horizon=5)
    t = origins(parts)[100]
    changed = np.concatenate([values[: t + 1], 7 * values[t + 1 :][::-1]])
    before, after = log_har(values, parts, 5), log_har(changed, parts, 5)
    np.testing.assert_array_equal(before[:101], after[:101])
    assert not np.allclose(before[101:], after[101:])
    np.testing.assert_array_equal(ewma(values, 0.06)[: t + 1], ewma(changed, 0.06)[: t + 1])
    np.testing.assert_array_equal(random_walk(values, 5)[: t + 1], random_walk(changed, 5)[: t + 1])


def test_log_har_recovers_the_mean_of_a_log_har_process() -> None:
    values = simulated(2, 0.5)
    parts = folds(DAYS, first="2012-01-01", every=22, horizon=1)
    at, found = origins(parts), log_har(values, parts, 1, (1, 5))
    logs = np.log(values)
    true = np.exp(0.1 + 0.4 * logs[at] + 0.5 * har_features(logs, (5,))[at, 0] + 0.5**2 / 2)  # the mean of the log-normal
    assert np.median(found / true) == pytest.approx(1, abs=0.03)
    target = future_mean(values, 1)[at]
    losses = [qlike(target, forecast).mean() for forecast in (found, ewma(values, 0.06)[at], random_walk(values, 1)[at])]
    assert losses[0] < min(losses[1:])
    assert qlike(target, true).mean() <= losses[0] < qlike(target, true).mean() + 0.01


def test_invalid_input_to_log_har_is_reported() -> None:
    values = simulated(3, 0.3)
    with pytest.raises(ValueError, match="positive values"):
        log_har(values - values.min(), [Fold(range(100), range(101, 110))], 1)
    with pytest.raises(ValueError, match="not purged for a horizon of 5"):
        log_har(values, folds(DAYS, first="2017-01-01", every=22, horizon=4), 5)
    with pytest.raises(StageError, match="7 rows are too few"):
        log_har(values, [Fold(range(28), range(29, 40))], 1)


@pytest.mark.parametrize(("index", "expected"), [("sp500", [0.765, 0.497, 0.425]), ("nasdaq", [0.820, 0.504, 0.434])])
def test_baselines_of_the_indices_have_their_known_losses(index: str, expected: list[float]) -> None:
    series = prices()[index]
    variance = parkinson(series)
    parts = folds(series.times, first="2012-12-31", every=22, horizon=1, window=1000)  # the variances of 2013 to 2018
    at = origins(parts)
    assert len(at) == 1510
    forecasts = random_walk(variance, 1)[at], ewma(variance, 0.06)[at], log_har(variance, parts, 1)
    found = [qlike(future_mean(variance, 1)[at], forecast).mean() for forecast in forecasts]
    assert [round(float(loss), 3) for loss in found] == expected
