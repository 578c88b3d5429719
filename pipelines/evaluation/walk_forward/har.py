"""Baselines for series of positive values: random walk, exponentially weighted average, and log-HAR."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from models.series.arrays import Values
from pipelines.evaluation.walk_forward.folds import Fold
from pipelines.stage import StageError

LAGS = (1, 5, 22)  # a day, a week and a month of trading days


def future_mean(values: Values, horizon: int) -> Values:
    """The target of each row t: the mean of the values at t + 1 to t + horizon; NaN where they are incomplete, [T] -> [T]."""
    means = _trailing_mean(values, horizon)
    return np.concatenate([means[horizon:], np.full(min(horizon, len(values)), np.nan)])


def random_walk(values: Values, horizon: int) -> Values:
    """The forecast that nothing changes: the mean of the last `horizon` values; NaN where there are fewer, [T] -> [T]."""
    return _trailing_mean(values, horizon)


def ewma(values: Values, alpha: float) -> Values:
    """The exponentially weighted average s_t = alpha x_t + (1 - alpha) s_{t-1}, s_0 = x_0, as the forecast, [T] -> [T].

    RiskMetrics 1996 uses alpha = 0.06 for daily variances.
    """
    return np.fromiter(accumulate(values, lambda state, value: state + alpha * (value - state)), np.float64, len(values))


def har_features(log_values: Values, lags: Sequence[int] = LAGS) -> Values:
    """The trailing means over each of the lags; NaN where there are fewer values, [T] -> [T, len(lags)]."""
    return np.stack([_trailing_mean(log_values, lag) for lag in lags], axis=1)


def log_har(values: Values, parts: Sequence[Fold], horizon: int, lags: Sequence[int] = LAGS) -> Values:
    """Forecasts by the heterogeneous autoregression of Corsi 2009 (Journal of Financial Econometrics 7) in logarithms.

    ln y_t = c + sum_l beta_l mean(ln x_{t-l+1}, ..., ln x_t) + u_t, with y_t the mean of x_{t+1} to x_{t+horizon}, fitted by
    least squares in each fold. exp of the fitted logarithm would forecast the median of y, so it is multiplied by the mean of
    exp(u_t) (Duan 1983, Journal of the American Statistical Association 78).

    Args:
        values: x_t, positive, [T].
        parts: folds that are purged for this horizon or a longer one.
        horizon: horizon of the target, in rows.
        lags: number of rows in each mean.

    Returns:
        one forecast for each row of the tests, in the order of `origins(parts)`.

    Raises:
        StageError: a fold has too few rows to fit on.
        ValueError: a value is not positive, or a fold's training target overlaps its test.
    """
    if not np.all(values > 0):
        raise ValueError("log-HAR needs positive values")
    if any(part.train.stop - 1 + horizon >= part.test.start for part in parts):
        raise ValueError(f"the folds are not purged for a horizon of {horizon}")
    features = np.column_stack([np.ones(len(values)), har_features(np.log(values), lags)])
    target = np.log(future_mean(values, horizon))
    return np.concatenate([_forecast(features, target, part, max(lags)) for part in parts])


def _forecast(features: Values, target: Values, part: Fold, longest: int) -> Values:
    train = slice(max(part.train.start, longest - 1), part.train.stop)
    x, y = features[train], target[train]
    if len(x) < 2 * features.shape[1]:
        raise StageError(f"{len(x)} rows are too few to fit log-HAR; start the test later, or use a longer window")
    beta = np.linalg.lstsq(x, y)[0]
    correction = np.exp(y - x @ beta).mean()
    return np.asarray(np.exp(features[part.test.start : part.test.stop] @ beta) * correction)


def _trailing_mean(values: Values, length: int) -> Values:
    """The mean of the last `length` values at each row; NaN where there are fewer, [T] -> [T]."""
    means = np.full(len(values), np.nan)
    if len(values) >= length:
        means[length - 1 :] = sliding_window_view(values, length).mean(axis=-1)
    return means
