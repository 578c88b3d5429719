"""A market: the daily returns of its stocks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipelines.data.series.source import Series
from pipelines.settings.errors import closest
from pipelines.stage import StageError

PRICE = "close"  # the column with the day's last price
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Market:
    """Daily returns of stocks on the days on which all of them have a price.

    Attributes:
        names: of the stocks, [N].
        days: ascending, [T].
        returns: ln(P_t / P_t-1), known at the end of day t, [T, N].
    """

    names: tuple[str, ...]
    days: NDArray[np.datetime64]
    returns: Values

    @classmethod
    def of(cls, series: Sequence[Series]) -> Self:
        """The returns of series of prices.

        Raises:
            StageError: there are fewer than two series or common days, a series lacks prices or has one that is not positive,
                or a name contains a space, which separates names.
        """
        for one in series:
            _check(one)
        if len(series) < 2:
            raise StageError(f"co-movements need two stocks or more; the data set has {len(series)}")
        days = reduce(np.intersect1d, (one.times.astype("datetime64[D]") for one in series))
        if len(days) < 2:
            raise StageError(f"a return needs two days; the {len(series)} series have {len(days)} in common")
        prices = np.stack([one.columns[PRICE][np.isin(one.times.astype("datetime64[D]"), days)] for one in series], axis=1)
        return cls(tuple(one.name for one in series), days[1:], np.diff(np.log(prices), axis=0))

    def adjusted(self) -> Self:
        """Market-adjusted returns: the mean over the day's stocks is subtracted from each return."""
        return replace(self, returns=self.returns - self.returns.mean(axis=1, keepdims=True))

    def scaled(self, days: int) -> Self:
        """Each return divided by the root mean square of the stock's returns over the previous `days`; drops the first days.

        If a stock did not move on any of these days, its return is 0.
        """
        squares = np.lib.stride_tricks.sliding_window_view(self.returns**2, days, axis=0).mean(axis=-1)
        scale, returns = np.sqrt(squares[:-1]), self.returns[days:]
        scaled = np.divide(returns, scale, out=np.zeros(returns.shape), where=scale > 0)
        return replace(self, days=self.days[days:], returns=scaled)

    def before(self, day: date) -> Self:
        """The days before `day`."""
        return self._on(self.days < np.datetime64(day))

    def since(self, day: date) -> Self:
        """`day` and later days."""
        return self._on(self.days >= np.datetime64(day))

    def _on(self, chosen: NDArray[np.bool_]) -> Self:
        return replace(self, days=self.days[chosen], returns=self.returns[chosen])


def _check(series: Series) -> None:
    if PRICE not in series.columns:
        raise StageError(f"the series {series.name!r} has no column {PRICE!r}{closest(PRICE, series.columns)}")
    if (series.columns[PRICE] <= 0).any():
        raise StageError(f"the series {series.name!r} has a price that is not above 0, which has no logarithm")
    if series.name.split() != [series.name]:
        raise StageError(f"the series {series.name!r} has a space in its name; spaces separate words, so rename it")
