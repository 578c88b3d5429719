"""Time series forecasting: means, quantiles or probabilities from columns of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import TypeAdapter

from models.series.arrays import Columns, Values
from models.series.recipe import RECIPE, Recipe
from serving.bundle import GRAPH, Bundle, BundleError
from serving.predictors.arrays import FloatArray
from serving.predictors.session import Session
from serving.predictors.watch import Watch


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of N series.

    Attributes:
        values: for each horizon, depending on the bundle's loss, a mean, quantiles or a probability, [N, H, Q].
        attention: weight of each of the last times, [N, L].
        threshold: threshold that defines the event, [N]; 1 if the model does not forecast events.
    """

    values: Values
    attention: FloatArray
    threshold: Values


class Forecaster:
    """The forecaster of a verified bundle.

    Args:
        folder: folder of the bundle.
        bundle: its manifest from `Bundle.load`, of kind "forecasting".
        threads: maximum number of cores that one call uses.

    Its graph: days [B, L, F], lengths [B], linear [B, K] -> forecasts [B, H, Q], attention [B, L].
    """

    def __init__(self, folder: Path, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle.of_kind("forecasting")
        if bundle.forecast is None:
            raise BundleError(f"{folder}: `forecast` is missing")
        self.about = bundle.forecast
        self.recipe = read_recipe(folder)
        self._model = Session(folder / GRAPH, threads=threads)

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Self:
        """Verify the bundle in `folder` and load it.

        Raises:
            BundleError: it is not a valid forecasting bundle.
        """
        return cls(folder, Bundle.load(folder), threads=threads)

    def forecast(self, series: Sequence[Columns], *, watch: Watch | None = None) -> Forecasts:
        """Forecast the times after the end of each series.

        Args:
            series: the recipe's columns, with at least the recipe's `needed` times; earlier times are ignored.
            watch: stops the computation at its deadline.

        Raises:
            DeadlineError: the deadline passed.
        """
        days, linear, threshold = list[Values](), list[Values](), list[float]()
        for columns in series:
            found = self.recipe.features({name: columns[name][-self.recipe.needed :] for name in self.recipe.columns})
            days.append(found.steps[-self.recipe.window :])
            linear.append(found.linear[-1])
            threshold.append(found.threshold[-1])
        values, attention = self.run(np.stack(days), np.stack(linear), watch=watch)
        return Forecasts(values, attention, np.array(threshold))

    def run(
        self, days: FloatArray, linear: FloatArray, *, batch_size: int = 256, watch: Watch | None = None
    ) -> tuple[Values, FloatArray]:
        """Forecast from the graph's inputs: [N, L, F], [N, K] -> values [N, H, Q], attention [N, L]."""
        values, attention = list[FloatArray](), list[FloatArray]()  # of batches
        for start in range(0, len(days), batch_size):
            some = days[start : start + batch_size].astype(np.float32)
            lengths = np.full(len(some), some.shape[1], np.int64)
            means = linear[start : start + batch_size].astype(np.float32)
            found, weights = self._model(watch, days=some, lengths=lengths, linear=means)
            values.append(found)
            attention.append(weights)
        return self._in_units(np.concatenate(values).astype(np.float64)), np.concatenate(attention)

    def _in_units(self, values: Values) -> Values:
        """Convert the graph's forecasts to the quantity's own units, [N, H, Q]."""
        if self.about.loss == "event":
            return values
        if self.recipe.positive:
            return np.asarray(np.exp(values))
        own: Values = values * np.array(self.about.deviation)[:, None] + np.array(self.about.mean)[:, None]
        return own

    @property
    def levels(self) -> tuple[float, float]:
        """The lowest and the highest supported quantile level; equal if quantiles are not supported."""
        if self.about.loss == "quantile":
            return self.about.levels[0], self.about.levels[-1]
        if self.about.loss == "qlike":
            count = len(self.about.ratios[0])
            return 1 / (count + 1), count / (count + 1)
        return 0.0, 0.0

    def quantiles(self, values: FloatArray, horizon: int, levels: Sequence[float]) -> list[float]:
        """Quantiles of one forecast, interpolated between the known levels.

        Args:
            values: forecast of the horizon, [Q].
            horizon: index of the horizon in the recipe.
            levels: requested levels, within the property `levels`.
        """
        if self.about.loss == "quantile":
            return list(map(float, np.interp(levels, self.about.levels, values)))
        ratios = self.about.ratios[horizon]
        known = np.arange(1, len(ratios) + 1) / (len(ratios) + 1)
        return list(map(float, values[0] * np.interp(levels, known, ratios)))


def read_recipe(folder: Path) -> Recipe:
    """Load the recipe in a folder, which says how series are read."""
    return TypeAdapter(Recipe).validate_json((folder / RECIPE).read_bytes())
