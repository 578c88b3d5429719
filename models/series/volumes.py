"""Calendar effects on the volume of a day."""

import numpy as np
from numpy.typing import NDArray

from models.series.arrays import Values

RIDGE = 1.0  # days: an effect observed on this many is halved
AROUND = 20  # days before and after in the mean that a day's volume is compared with


def effects(calendar: Values, volumes: Values) -> Values:
    """The effect of each calendar feature on the logarithm of a day's volume, by ridge regression.

    The regression explains the logarithm minus its mean over the surrounding days, which removes the trend. All of these are
    training days, so the later ones among them leak nothing.

    Args:
        calendar: of each day of one series, [T, C].
        volumes: above zero, [T].

    Returns:
        [C].
    """
    logarithms = np.log(volumes)
    sums = np.cumsum(np.concatenate([[0.0], logarithms]))
    places = np.arange(len(volumes))
    first, behind = np.maximum(places - AROUND, 0), np.minimum(places + AROUND + 1, len(volumes))
    around = (sums[behind] - sums[first]) / (behind - first)
    facts, rest = calendar - calendar.mean(0), logarithms - around
    gram = facts.T @ facts + RIDGE * np.eye(facts.shape[1])
    found: Values = np.linalg.solve(gram, facts.T @ (rest - rest.mean()))
    return found


def shares(logarithms: Values, horizons: NDArray[np.int64]) -> Values:
    """Volumes as shares of the horizon's total, which sum to one: [N, A], [N] -> [N, A], zero after the horizon."""
    ahead = np.arange(logarithms.shape[1]) < horizons[:, None]
    weights = np.where(ahead, np.exp(logarithms - logarithms.max(axis=1, keepdims=True)), 0.0)
    found: Values = weights / weights.sum(axis=1, keepdims=True)
    return found
