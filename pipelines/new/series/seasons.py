"""Detects a series' season, and whether its fluctuations grow with its level."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from models.series.arrays import Values

PERIODS: Final = 3  # minimum number of observed periods of a season
LEAST: Final = 0.2  # minimum autocorrelation of a season
BETTER: Final = 0.1  # minimum advantage over a shorter season, and over half the season
BLOCKS: Final = 8  # minimum number of blocks for comparing level and spread


class Season(NamedTuple):
    """A season's length, 0 for none, and the autocorrelation at it."""

    steps: int
    correlation: float


def season_of(series: Sequence[Values], cycles: Sequence[int]) -> Season:
    """The season of some series, by their mean autocorrelation at the lengths of natural cycles.

    The series is detrended with a moving mean over m. m is a season if the autocorrelation at lag m is high, and lower at half
    of m: this distinguishes it from a series that only changes slowly. A longer season is chosen if it explains more than a
    shorter one.

    Args:
        series: values of the training split, [T] each.
        cycles: lengths to test, shortest first.
    """
    found = Season(0, 0.0)
    for length in cycles:
        rests = [_rest(values, length) for values in series if len(values) >= PERIODS * length]
        if not rests:
            continue
        whole, half = (float(np.mean([_correlation(rest, lag) for rest in rests])) for lag in (length, length // 2))
        shorter = float(np.mean([_correlation(rest, found.steps) for rest in rests])) if found.steps else 0.0
        if whole >= LEAST and whole - half >= BETTER and whole - shorter >= BETTER:
            found = Season(length, whole)
    return found


def swings_grow(values: Values, block: int) -> bool:
    """Whether a series' spread is proportional to its level rather than independent of it: logarithms then stabilize it.

    Compares the coefficient of variation of spread / level^p over blocks of time, for p = 1 and p = 0 (Guerrero 1993,
    Journal of Forecasting 12).

    Args:
        values: of the training split, [T].
        block: time steps in a block: a season, if there is one.
    """
    count = len(values) // block
    if count < BLOCKS or values.min() <= 0:
        return False
    blocks = values[-count * block :].reshape(count, block)
    level, spread = blocks.mean(axis=1), blocks.std(axis=1)
    relative = spread / level
    return bool(spread.all() and relative.std() / relative.mean() < spread.std() / spread.mean())


def _rest(values: Values, length: int) -> Values:
    """The residuals of a centred moving mean, [T - length + 1]."""
    total = np.cumsum(np.concatenate([np.zeros(1), values - values.mean()]))
    mean = (total[length:] - total[:-length]) / length
    begin = length // 2
    rest: Values = (values - values.mean())[begin : begin + len(mean)] - mean
    return rest


def _correlation(rest: Values, lag: int) -> float:
    """The autocorrelation at a lag; 0 for a constant."""
    centred = rest - rest.mean()
    total = float(centred @ centred)
    return float(centred[lag:] @ centred[:-lag]) / total if total > 0 else 0.0
