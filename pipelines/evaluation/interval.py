"""Confidence interval of a mean over few runs."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Interval(NamedTuple):
    """A mean and the bounds of its confidence interval."""

    mean: float
    low: float
    high: float


def interval(values: NDArray[np.floating[Any]], confidence: float = 0.95) -> Interval:
    """The mean of a sample with its Student's t interval.

    Args:
        values: one value per run, [N]; two or more.
        confidence: share of such intervals that contain the true mean.
    """
    from scipy.stats import t  # takes long to import

    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(t.ppf((1 + confidence) / 2, len(values) - 1)) * error
    return Interval(mean, mean - half, mean + half)
