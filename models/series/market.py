"""A scheduler's inputs from the last days of a market: the same in training and in serving."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.series.arrays import Columns, Values
from models.series.days import calendar, calendar_after, undated
from models.series.execution import Impact
from models.series.quantities import range_variance, returns
from models.series.relative import deviation, relative
from models.series.sessions import Days

RECIPE: Final = "recipe.json"  # file name
COLUMNS: Final = ("high", "low", "close", "volume")


@dataclass(frozen=True)
class MarketRecipe:
    """Settings of a scheduler's inputs.

    Attributes:
        window: L, the last days that a network reads.
        longest: A, days of the longest horizon.
        impact: trading costs.
    """

    window: int
    longest: int
    impact: Impact


def day_numbers(columns: Columns) -> Values:
    """Features of each day: ln of the variance from its range, its return, the return's magnitude, and ln of its volume.

    Args:
        columns: COLUMNS, [T] each.

    Returns:
        [T, STEPS].
    """
    moves = returns(columns["close"])
    found = [np.log(range_variance(columns)), moves, np.abs(moves), np.log(columns["volume"])]
    return np.stack(found, axis=1)


@dataclass(frozen=True)
class MarketWindow:
    """The last days of a market, and the calendar of the coming ones.

    Attributes:
        days: features of each day, [L, STEPS + days.SIZE].
        ahead: the calendar of the coming days, [A, days.SIZE].
        deviation: sigma, of a day's return.
    """

    days: Values
    ahead: Values
    deviation: float

    @classmethod
    def of(cls, columns: Columns, dates: Days | None, recipe: MarketRecipe) -> "MarketWindow":
        """Compute the inputs from at least `window` days.

        Args:
            columns: COLUMNS, [T] each.
            dates: of the days, [T]; None if they are not known.
            recipe: see `MarketRecipe`.
        """
        numbers = day_numbers({name: columns[name][-recipe.window :] for name in COLUMNS})
        if dates is None:
            known, ahead = undated(recipe.window), undated(recipe.longest)
        else:
            known, ahead = calendar(dates[-recipe.window :]), calendar_after(dates[-1], recipe.longest)
        return cls(np.concatenate([relative(numbers), known], axis=1), ahead, float(deviation(numbers)))
