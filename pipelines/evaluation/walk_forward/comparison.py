"""Whether one forecast is significantly better than another, compared date by date."""

from dataclasses import dataclass
from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from models.series.arrays import Times, Values
from pipelines.evaluation.interval import Interval
from pipelines.evaluation.walk_forward.losses import ratio
from pipelines.stage import StageError

MONTH = 22  # trading days
SAMPLES = 2_000


class DieboldMariano(NamedTuple):
    """The test's statistic, negative if the first forecast is better, and its two-sided p-value."""

    statistic: float
    p: float


@dataclass(frozen=True)
class Comparison:
    """A forecast compared with its baseline. All figures are based on the mean loss of each date, with equal weights.

    Attributes:
        days: number of dates.
        ratio: ratio of the mean losses: below 1 if the forecast is better.
        difference: difference of the mean losses: below 0 if the forecast is better.
        low: lower bound of its 95 % interval, by the block bootstrap.
        high: upper bound.
        statistic: statistic of the Diebold-Mariano test.
        p: its two-sided p-value: the probability of such a difference between equally good forecasts.
    """

    days: int
    ratio: float
    difference: float
    low: float
    high: float
    statistic: float
    p: float


def by_date(losses: Values, dates: Times) -> Values:
    """The mean loss of each date, in chronological order: rows of one date share its shocks, and count as one.

    Args:
        losses: loss of each row, [N].
        dates: date of each row, in any order, [N].

    Returns:
        one value per distinct date, [D].
    """
    _, places, counts = np.unique(dates, return_inverse=True, return_counts=True)
    return np.bincount(places, weights=losses) / counts


def block_bootstrap(differences: Values, *, block: int, samples: int, seed: int, level: float = 0.95) -> Interval:
    """The mean with a percentile interval by the circular block bootstrap (Politis and Romano 1992).

    Blocks of consecutive dates are drawn with replacement, which preserves dependence shorter than a block. The series wraps
    around, so that all dates have the same probability.

    Args:
        differences: one value per date, in chronological order, [D].
        block: length of a block: more than the target's horizon, since targets of close dates overlap.
        samples: number of bootstrap samples.
        seed: seed of the draws.
        level: share of such intervals that contain the true mean.

    Raises:
        StageError: there are fewer dates than in two blocks.
    """
    days = len(differences)
    if days < 2 * block:
        raise StageError(f"{days} days are too few for blocks of {block}; test on more days, or with a shorter horizon")
    whole, rest = divmod(days, block)
    starts = np.random.default_rng(seed).integers(0, days, size=(samples, whole + 1))
    # A block's sum is the difference of two cumulative sums, so no sample is materialized.
    sums = np.concatenate([[0.0], np.cumsum(np.concatenate([differences, differences[:block]]))])
    lengths = np.array([block] * whole + [rest])
    means = (sums[starts + lengths] - sums[starts]).sum(axis=1) / days
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(differences.mean()), float(low), float(high))


def diebold_mariano(a: Values, b: Values, horizon: int) -> DieboldMariano:
    """Test whether two forecasts have the same expected loss (Diebold and Mariano 1995).

    With d = a - b the statistic is mean(d) / sqrt(V), V = (gamma_0 + 2 sum_{k=1}^{h-1} gamma_k) / D and gamma_k the k-th
    autocovariance. It is scaled by sqrt((D + 1 - 2 h + h (h - 1) / D) / D) and compared with Student's t with D - 1 degrees of
    freedom (Harvey, Leybourne and Newbold 1997, International Journal of Forecasting 13). If V is not positive, gamma_k is
    weighted by 1 - k / h, which keeps V from being negative (Newey and West 1987).

    Args:
        a: losses of the first forecast, one per date in chronological order, [D].
        b: losses of the second forecast, [D].
        horizon: h, number of rows that a target spans.

    Raises:
        ValueError: the losses have different shapes, or no more than `horizon` dates.
    """
    days = len(a)
    if a.shape != b.shape or a.ndim != 1 or days <= max(horizon, 1):
        raise ValueError(f"losses of {a.shape} and {b.shape} dates with a horizon of {horizon} cannot be compared")
    differences = a - b
    mean, variance = float(differences.mean()), _variance_of_mean(differences, horizon)
    if mean == 0 or variance == 0:  # the same forecasts, or a constant difference on all days
        return DieboldMariano(0.0, 1.0) if mean == 0 else DieboldMariano(inf if mean > 0 else -inf, 0.0)
    correction = (days + 1 - 2 * horizon + horizon * (horizon - 1) / days) / days
    statistic = mean / sqrt(variance) * sqrt(correction)
    return DieboldMariano(statistic, float(2 * student.sf(abs(statistic), days - 1)))


def _variance_of_mean(differences: Values, horizon: int) -> float:
    days, centred = len(differences), differences - differences.mean()
    covariances = np.array([centred[k:] @ centred[: days - k] for k in range(horizon)]) / days
    weights = np.r_[1.0, np.full(horizon - 1, 2.0)]
    variance = float(covariances @ weights)
    if variance <= 0:
        variance = float(covariances @ (weights * (1 - np.arange(horizon) / horizon)))
    return max(variance, 0.0) / days  # rounding may make it negative


def compare(
    losses: Values, baseline: Values, dates: Times, horizon: int, seed: int, block: int | None = None, samples: int = SAMPLES
) -> Comparison:
    """Compare a forecast's losses with those of a baseline on the same rows.

    Args:
        losses: the forecast's loss on each row, [N].
        baseline: the baseline's loss on the same rows, [N].
        dates: date of each row, [N]; several series may share dates.
        horizon: number of rows that a target spans.
        seed: seed of the bootstrap.
        block: length of its blocks; if None, a month or twice the horizon, whichever is longer.
        samples: number of bootstrap samples.

    Raises:
        StageError: there are too few dates.
    """
    ours, theirs = by_date(losses, dates), by_date(baseline, dates)
    block = max(MONTH, 2 * horizon) if block is None else block
    mean, low, high = block_bootstrap(ours - theirs, block=block, samples=samples, seed=seed)
    statistic, p = diebold_mariano(ours, theirs, horizon)
    return Comparison(len(ours), ratio(ours, theirs), mean, low, high, statistic, p)
