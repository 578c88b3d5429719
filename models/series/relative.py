"""Features of a market's days, relative to their window."""

from typing import Final

import numpy as np

from models.series.arrays import Values

VARIANCE, RETURN, MOVE, VOLUME = range(4)  # indices of a day's features; the calendar's follow
STEPS: Final = 4


def relative(numbers: Values) -> Values:
    """Inputs of a window, [..., L, STEPS]: its first return is unknown, so 0, and volumes are relative to their mean."""
    found = numbers.copy()
    found[..., 0, [RETURN, MOVE]] = 0
    found[..., VOLUME] -= found[..., VOLUME].mean(axis=-1, keepdims=True)
    return found


def deviation(numbers: Values) -> Values:
    """sigma, the root mean square of a window's returns, all but the first: [..., L, STEPS] -> [...]."""
    found: Values = np.sqrt((numbers[..., 1:, RETURN] ** 2).mean(axis=-1))
    return found
