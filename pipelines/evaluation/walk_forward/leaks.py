"""Tests for look-ahead bias: whether features explain too much of the future, or change when later days are removed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from models.series.arrays import Values
from pipelines.evaluation.walk_forward.har import future_mean
from pipelines.stage import StageError

LAGS = 22
MOST = 0.5  # share of the innovation that no column without a leak explains
ROUNDING = 1e-6  # relative residual of a column, or difference of a feature, that float32 rounding alone can cause
DAYS_PER_LAG = 10  # with fewer, chance alone explains too much

Columns = Mapping[str, Values]
Compute = Callable[[Columns], NDArray[np.floating[Any]]]


def explained_innovation(target: Values, column: Values, lags: int = LAGS, horizon: int = 1) -> float:
    """The share of the target's innovation after day t that a column explains on day t.

    The innovation is the residual of a linear autoregression on the target's values at t - lags + 1 to t, for the value at
    t + k and for the mean of t + 1 to t + k, for k up to `horizon`. The share is the largest partial R^2 of these (Frisch and
    Waugh 1933). Target and column enter as normal scores of their ranks, so that scaling, a logarithm or any other increasing
    function cannot hide a leak; the column also as its distance from the median, its last change and the size of that change.

    Args:
        target: finite, [T].
        column: [T]; rows that are not finite, such as the first ones of a moving average, are left out.
        lags: number of lags of the autoregression.
        horizon: number of days ahead to check.

    Returns:
        the share, in [0, 1]. For a column without information about the future, about 4 / T.

    Raises:
        StageError: there are too few rows.
        ValueError: target and column have different shapes.
    """
    if target.shape != column.shape or target.ndim != 1:
        raise ValueError(f"a target of shape {target.shape} and a column of shape {column.shape} do not match")
    scores = _scores(target)
    known = _history(scores, lags)
    new = np.stack([part for k in range(1, horizon + 1) for part in (future_mean(scores, k), _ahead(scores, k))], axis=1)
    views = _views(column)
    complete = np.isfinite(np.column_stack([known, new, views])).all(axis=1)
    if complete.sum() < DAYS_PER_LAG * lags:
        raise StageError(f"{complete.sum()} complete days are too few to check for leaks with {lags} lags")
    basis = np.linalg.qr(known[complete])[0]
    return _largest_share(_residual(basis, new[complete]), _new_directions(basis, views[complete]))


def assert_no_leak(columns: Columns, target: Values, lags: int = LAGS, most: float = MOST, horizon: int = 5) -> None:
    """Check that no column explains more of the target's innovation than is possible without a leak.

    It detects later values of the target, however they were transformed. Later values of another series, such as the price whose
    variance is the target, may explain less: `assert_point_in_time` detects those as well.

    Args:
        columns: name -> values known on each day, [T].
        target: finite, [T].
        lags: see `explained_innovation`.
        most: the largest share that is allowed.
        horizon: number of days ahead to check.

    Raises:
        StageError: a column explains more; the message gives its name and share.
    """
    for name, column in columns.items():
        share = explained_innovation(target, column, lags, horizon)
        if share > most:
            raise StageError(
                f"the column {name!r} explains {share:.0%} of the target's innovation on the following days; "
                f"no column without a leak explains {most:.0%}: check it for values of later days"
            )


def assert_point_in_time(compute: Compute, columns: Columns, times_to_check: Sequence[int]) -> None:
    """Check that the features of a day do not change when all later days are removed.

    Args:
        compute: columns of any number of days -> their features, [T, F]; a feature that is not known yet is NaN.
        columns: name -> values, [T].
        times_to_check: indices of the days after which to cut.

    Raises:
        StageError: a feature differs; the message gives the first such day and the feature's index.
        ValueError: there is no day to check, or one is not before the last day.
    """
    days = len(next(iter(columns.values())))
    if len(times_to_check) == 0 or not all(0 <= t < days - 1 for t in times_to_check):
        raise ValueError(f"times_to_check must hold at least one index, all from 0 to {days - 2}")
    whole = _computed(compute, columns, days)
    sizes = np.abs(np.where(np.isfinite(whole), whole, 0)).max(axis=0)
    for t in sorted(times_to_check):
        cut = _computed(compute, columns, t + 1)
        same = np.isclose(cut, whole[: t + 1], rtol=0, atol=ROUNDING * sizes, equal_nan=True)
        if not same.all():
            day, feature = (int(place) for place in np.argwhere(~same)[0])
            raise StageError(
                f"feature {feature} of day {day} is {whole[day, feature]:.6g}, but {cut[day, feature]:.6g} without the days "
                f"after {t}: it uses values of later days"
            )


def _computed(compute: Compute, columns: Columns, days: int) -> Values:
    """The features of the first days, computed from those days alone, [days, F]."""
    features = np.asarray(compute({name: values[:days] for name, values in columns.items()}), np.float64)
    if features.ndim != 2 or len(features) != days:
        raise StageError(f"features of {days} days have shape {features.shape}; compute one row per day")
    return features


def _scores(values: Values) -> Values:
    """The normal quantiles of the ranks, which are the same for any increasing function of the values. NaN stays NaN."""
    ranks = rankdata(values, nan_policy="omit")
    return np.asarray(ndtri((ranks - 0.5) / np.isfinite(values).sum()))


def _history(scores: Values, lags: int) -> Values:
    """A constant 1 and the last `lags` values of each day, [T, 1 + lags]; NaN where there are fewer."""
    last = np.full((len(scores), lags), np.nan)
    last[lags - 1 :] = sliding_window_view(scores, lags)
    return np.column_stack([np.ones(len(scores)), last])


def _ahead(scores: Values, k: int) -> Values:
    """The value k days later, [T]; NaN where there is none."""
    return np.concatenate([scores[k:], np.full(k, np.nan)])


def _views(column: Values) -> Values:
    """Normal scores of a column, of its distance from the median, of its change and of the size of that change, [T, 4]."""
    column = np.where(np.isfinite(column), column, np.nan)
    scores, change = _scores(column), np.diff(column, prepend=np.nan)
    return np.stack([scores, *(_scores(view) for view in (np.abs(scores), change, np.abs(change)))], axis=1)


def _residual(basis: Values, values: Values) -> Values:
    return values - basis @ (basis.T @ values)


def _new_directions(basis: Values, views: Values) -> Values:
    """An orthonormal basis of the views' components orthogonal to the target's history, [N, up to 4]."""
    rest = _residual(basis, views)
    rest = rest[:, np.linalg.norm(rest, axis=0) > ROUNDING * np.linalg.norm(views, axis=0)]
    directions, sizes, _ = np.linalg.svd(rest, full_matrices=False)
    return np.asarray(directions[:, sizes > ROUNDING * sizes.max(initial=0)])


def _largest_share(new: Values, directions: Values) -> float:
    """The largest share of an innovation that lies in the directions; 0 where the innovation is 0."""
    total = (new**2).sum(axis=0)
    anything = total > ROUNDING**2 * len(new)  # the scores have a variance of 1
    explained = ((directions.T @ new) ** 2).sum(axis=0)
    return float(np.max(np.divide(explained, total, out=np.zeros_like(total), where=anything)))
