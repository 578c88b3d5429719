"""From the columns of a series to a forecaster's inputs and targets: the same in training and in serving."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from models.names import AggregateName, QuantityName
from models.series.arrays import Columns, Values
from models.series.quantities import QUANTITIES, TARGET, trailing_mean

RECIPE: Final = "recipe.json"  # file name


class Features(NamedTuple):
    """Features of each time of a series.

    Attributes:
        steps: of the time itself, [T, F].
        linear: of the times up to it, [T, K].
        threshold: exceeded by an event, [T]; 1 if no event is forecast.
    """

    steps: Values
    linear: Values
    threshold: Values


@dataclass(frozen=True)
class Recipe:
    """Settings of a forecaster's inputs and targets.

    Attributes:
        quantity: what is forecast, see models.series.quantities.
        target: name of its column, if the quantity is a column.
        inputs: further input columns.
        window: L, number of last times that a network reads.
        averages: K lengths of trailing means for the linear part, such as 1, 5 and 22 days (Corsi 2009, equation 9).
        season: times in a season; the linear part then also reads the value one season before each horizon. 0: none.
        horizons: how many times ahead each forecast is.
        aggregate: the mean up to the horizon, or the last value.
        level: an event occurs if the mean up to the horizon exceeds this quantile of past means. 0: no event.
        history: number of past means for that quantile.
    """

    quantity: QuantityName
    target: str
    inputs: tuple[str, ...]
    window: int
    averages: tuple[int, ...]
    season: int
    horizons: tuple[int, ...]
    aggregate: AggregateName
    level: float
    history: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that a series must have."""
        return QUANTITIES[self.quantity].columns or (self.target, *self.inputs)

    @property
    def positive(self) -> bool:
        """Whether the quantity is above zero."""
        return QUANTITIES[self.quantity].positive

    @cached_property
    def needed(self) -> int:
        """Number of known times that a forecast needs."""
        of_value, of_step = QUANTITIES[self.quantity].before
        known = max(self.window + of_step, of_value + max(*self.averages, *(back + 1 for back in self.lags), 1))
        if self.level:  # each time of the window is relative to its threshold
            return max(known, self.history + self.horizons[0] + max(self.window, *self.averages) + 1)
        return known

    @property
    def lags(self) -> tuple[int, ...]:
        """For each horizon, number of times back to the same point of an earlier season; empty without a season."""
        return tuple(self.season * -(-horizon // self.season) - horizon for horizon in self.horizons if self.season)

    def values(self, columns: Columns) -> Values:
        """The quantity at each time, [T]."""
        return QUANTITIES[self.quantity].values(self._own(columns))

    def features(self, columns: Columns) -> Features:
        """Features at each time; those of the first `needed` - 1 times are incomplete.

        Args:
            columns: those of the property `columns`, [T] each.
        """
        values = self.values(columns)
        scale = self._threshold(values) if self.level else np.ones(len(values))
        own = self._own(columns)
        steps = QUANTITIES[self.quantity].steps({name: own[name] for name in own if name != TARGET}, values, scale)
        known = [trailing_mean(values, count) / scale for count in self.averages]
        known += [_moved(values, back) for back in self.lags]
        linear = np.stack(known, axis=1)
        return Features(steps, np.log(linear) if self.positive else linear, scale)

    def targets(self, columns: Columns, threshold: Values) -> Values:
        """Targets at each time, [T, H]: 1 or 0 for events. NaN where the future is not known.

        Args:
            columns: those of the property `columns`, [T] each.
            threshold: from `features`, [T].
        """
        values = self.values(columns)
        found = np.stack([_ahead(values, h, self.aggregate) for h in self.horizons], axis=1)
        if not self.level:
            return found
        return np.where(np.isnan(found), np.nan, found > threshold[:, None])

    def _own(self, columns: Columns) -> Mapping[str, Values]:
        if self.target:
            return {TARGET: columns[self.target], **{name: columns[name] for name in self.inputs}}
        return columns

    def _threshold(self, values: Values) -> Values:
        """The quantile of the last `history` means over the horizon, of which none ends after the time itself, [T].

        The first times have fewer means; their thresholds are not used.
        """
        means = trailing_mean(values, self.horizons[0])
        rank = max(int(np.ceil(self.level * self.history)) - 1, 0)
        padded = np.concatenate([np.full(self.history - 1, means[0]), means])
        found: Values = np.partition(sliding_window_view(padded, self.history), rank, axis=1)[:, rank]
        return found


def _ahead(values: Values, horizon: int, aggregate: AggregateName) -> Values:
    """The mean over t+1 to t+h, or the value at t+h, [T]; NaN at the last h times."""
    source = trailing_mean(values, horizon) if aggregate == "mean" else values
    return np.concatenate([source[horizon:], np.full(min(horizon, len(values)), np.nan)])


def _moved(values: Values, back: int) -> Values:
    """The value `back` times before, or the first value if there is none, [T]."""
    return np.concatenate([np.full(min(back, len(values)), values[0]), values[: max(len(values) - back, 0)]]) if back else values
