"""Endpoint of a forecaster."""

from collections.abc import Hashable, Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from serving.bundle import Bundle
from serving.contract.faults import RequestError
from serving.contract.requests import input_error
from serving.endpoints.forecasting.checks import check_series
from serving.endpoints.forecasting.contract import DATES, ForecastingParameters, ForecastingRequest, Series
from serving.endpoints.shared import Emit, Json, as_sent
from serving.predictors.forecasting import Forecaster, Forecasts
from serving.predictors.watch import Watch
from serving.telemetry.meter import Text


class Endpoint:
    """Forecasts of series."""

    request = ForecastingRequest

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._forecaster = Forecaster(folder, bundle)

    def check(self, request: ForecastingRequest) -> None:
        """Refuse parameters that the model was not trained for, and invalid series."""
        self._check_parameters(request.parameters)
        for i, series in enumerate(request.each_input):
            fault = check_series(series, self._forecaster.recipe, self._forecaster.bundle.max_length)
            if fault:
                raise input_error(request, i, *fault)

    def _check_parameters(self, parameters: ForecastingParameters) -> None:
        horizons, (low, high) = self._forecaster.recipe.horizons, self._forecaster.levels
        for horizon in parameters.horizons or ():
            if horizon not in horizons:
                there = ", ".join(map(str, horizons))
                raise RequestError("invalid_parameter", f"horizons: the model was trained for {there}, not for {horizon}")
        if parameters.quantiles and low == high:
            raise RequestError("invalid_parameter", "quantiles: this model forecasts the probability of an event")
        for level in parameters.quantiles or ():
            if not low <= level <= high:
                raise RequestError("invalid_parameter", f"quantiles: levels must be from {low:g} to {high:g}, not {level:g}")
        if parameters.attention and not self._forecaster.about.attention:
            raise RequestError("invalid_parameter", "attention: this model has no attention")

    def group(self, _: ForecastingRequest) -> Hashable:
        """All requests share one batch."""
        return None

    def answer(self, requests: Sequence[ForecastingRequest], _: Sequence[Emit], watch: Watch) -> list[Json]:
        """The forecasts of each series.

        Raises:
            RequestError: numbers are so large or so small that the forecast is not finite.
        """
        names = self._forecaster.recipe.columns
        series = [{name: np.array(one[name], np.float64) for name in names} for r in requests for one in r.each_input]
        with np.errstate(over="ignore", invalid="ignore"):  # results that are not finite are refused below
            found = self._forecaster.forecast(series, watch=watch)
        _check_finite(requests, found)
        rows = count()
        return [as_sent(r, [self._answer(one, found, next(rows), r.parameters) for one in r.each_input]) for r in requests]

    def measure(self, request: ForecastingRequest, _: Json) -> Iterator[Text]:
        """Length of each series."""
        name = self._forecaster.recipe.columns[0]
        yield from (Text(len(series[name])) for series in request.each_input)

    def _answer(self, series: Series, found: Forecasts, row: int, parameters: ForecastingParameters) -> Json:
        """An answer in the form of `contract.Forecasted`."""
        recipe = self._forecaster.recipe
        asked = [recipe.horizons.index(horizon) for horizon in parameters.horizons or recipe.horizons]
        answer: Json = {"forecasts": [self._of_horizon(found, row, place, parameters) for place in asked]}
        if parameters.attention:
            answer["attention"] = [round(weight, 6) for weight in found.attention[row].tolist()]
            if DATES in series:
                answer["dates"] = series[DATES][-recipe.window :]
        return answer

    def _of_horizon(self, found: Forecasts, row: int, place: int, parameters: ForecastingParameters) -> Json:
        forecaster, values = self._forecaster, found.values[row, place]
        answer: Json = {"horizon": forecaster.recipe.horizons[place]}
        if forecaster.about.loss == "event":
            return answer | {"probability": float(values[0]), "threshold": float(found.threshold[row])}
        levels = parameters.quantiles or (forecaster.about.levels if forecaster.about.loss == "quantile" else ())
        if forecaster.about.loss == "qlike":
            answer["mean"] = float(values[0])
        if levels:
            pairs = zip(levels, forecaster.quantiles(values, place, levels), strict=True)
            answer["quantiles"] = [{"level": level, "value": value} for level, value in pairs]
        return answer


def _check_finite(requests: Sequence[ForecastingRequest], found: Forecasts) -> None:
    rows = zip(found.values, found.attention, strict=True)
    for request in requests:
        for i in range(len(request.each_input)):
            if not all(np.isfinite(part).all() for part in next(rows)):
                message = "the numbers are too far from the training data for a forecast"
                raise input_error(request, i, "invalid_value", message)
