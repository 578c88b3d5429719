"""Quantities that are forecast, and the features of each day of a series.

The value of a quantity at time t is computed only from observations up to t. `Columns` are arrays [T] by name. The first time has
no return, so quantities that need returns begin with the second.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.names import QuantityName
from models.series.arrays import Columns, Values

LEAST: Final = 1e-7  # lower bound of a day's variance: a day without trades has about as much from the rounding of prices
SHORT: Final = 5  # days over which squared returns are averaged before their logarithm is taken


@dataclass(frozen=True)
class Quantity:
    """A quantity that is forecast.

    Attributes:
        columns: columns it is computed from; if empty, the series' own.
        positive: whether it is above zero; forecasts are then, too.
        before: number of earlier times that the value and the step of a time depend on.
        values: from the columns to the value at each time, [T].
        steps: from the columns, the values, and the scale that both are relative to [T], to the features of each time [T, F].
    """

    columns: tuple[str, ...]
    positive: bool
    before: tuple[int, int]
    values: Callable[[Columns], Values]
    steps: Callable[[Columns, Values, Values], Values]


def returns(close: Values) -> Values:
    """Logarithmic returns, r_t = ln(C_t / C_{t-1}), and 0 at the first time, [T]."""
    found: Values = np.diff(np.log(close), prepend=np.log(close[:1]))
    return found


def range_variance(columns: Columns) -> Values:
    """The variance of a day from its range, ln(H / L)^2 / (4 ln 2) (Parkinson 1980, Journal of Business 53, equation 2), [T]."""
    spread = np.log(columns["high"] / columns["low"])
    found: Values = np.maximum(spread**2 / (4 * np.log(2)), LEAST)
    return found


def squared_return(columns: Columns) -> Values:
    """The squared return of a day: a noisy estimate of the variance, from closing prices only, [T]."""
    found: Values = np.maximum(returns(columns["close"]) ** 2, LEAST)
    return found


def trailing_mean(values: Values, count: int) -> Values:
    """The mean of the last `count` values up to each time, or of all if there are fewer, [T]."""
    total = np.cumsum(np.concatenate([np.zeros(1), values]))
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - count, 0)
    found: Values = (total[ends] - total[begins]) / (ends - begins)
    return found


def _range_steps(columns: Columns, values: Values, scale: Values) -> Values:
    moves = returns(columns["close"]) / np.sqrt(scale)
    return np.stack([np.log(values / scale), moves, np.abs(moves)], axis=1)


def _return_steps(columns: Columns, values: Values, scale: Values) -> Values:
    moves = returns(columns["close"]) / np.sqrt(scale)
    return np.stack([np.log(np.maximum(trailing_mean(values, SHORT), LEAST) / scale), moves, np.abs(moves)], axis=1)


def _plain_steps(columns: Columns, values: Values, _: Values) -> Values:
    return np.stack([values, *columns.values()], axis=1)


def _positive_steps(columns: Columns, values: Values, _: Values) -> Values:
    return np.stack([np.log(values), *columns.values()], axis=1)


PRICES: Final = ("high", "low", "close")
QUANTITIES: Final[Mapping[QuantityName, Quantity]] = {
    "range_variance": Quantity(PRICES, True, (0, 1), range_variance, _range_steps),
    "squared_return": Quantity(("close",), True, (1, SHORT), squared_return, _return_steps),
    "value": Quantity((), False, (0, 0), lambda columns: columns[TARGET], _plain_steps),
    "positive_value": Quantity((), True, (0, 0), lambda columns: columns[TARGET], _positive_steps),
}
TARGET: Final = "target"  # the column of a quantity that is given directly
DATES: Final = "dates"  # the column of the times in requests: not numeric
