"""Requests to forecasters, and their answers."""

from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from models.series.quantities import DATES as DATES
from models.series.recipe import RECIPE
from serving.bundle import GRAPH
from serving.contract.requests import OneOrMany, Request
from serving.contract.strict import Strict

NEEDED: Final = ("forecast",)
ALLOWED: Final = ()
FILES: Final = (RECIPE, GRAPH)

Level = Annotated[float, Field(gt=0, lt=1)]
Series = dict[str, list[float | str]]


class ForecastingParameters(Strict):
    """What to return about the future."""

    horizons: list[int] | None = Field(
        default=None,
        min_length=1,
        description="times ahead to forecast, of those that the model was trained for; default: all of them",
    )
    quantiles: list[Level] | None = Field(
        default=None,
        min_length=1,
        max_length=99,
        description="quantile levels to return, such as 0.05 and 0.95; default: none",
    )
    attention: bool = Field(
        default=False,
        description="also return the weights of the last times; only for models with attention; default false",
    )


class Quantile(Strict):
    """The value that the quantity stays below with probability `level`."""

    level: float
    value: float


class HorizonForecast(Strict):
    """The forecast for one horizon: a mean, quantiles, or the probability of an event."""

    horizon: int
    mean: Annotated[
        float | None,
        Field(description="mean of the quantity, up to the horizon or at it; absent if the model has none"),
    ] = None
    quantiles: list[Quantile] | None = None
    probability: Annotated[
        float | None,
        Field(description="probability that the mean up to the horizon is above `threshold`; only for event models"),
    ] = None
    threshold: Annotated[float | None, Field(description="a quantile of the past values of this series")] = None


class Forecasted(Strict):
    """The answer to an input.

    `attention` has the weight of each of the last times, oldest first, with six decimals. `dates` has their dates, if the input
    has dates.
    """

    forecasts: list[HorizonForecast]
    attention: list[float] | None = None
    dates: list[str] | None = None


ONE: Final = TypeAdapter(Forecasted)


class ForecastingRequest(Request):
    """Series to forecast: columns of numbers, oldest first, and optionally `dates`."""

    EXPECTED = ("an object of columns, each an array of numbers", "such objects")

    inputs: OneOrMany[Series]
    parameters: ForecastingParameters = ForecastingParameters()

    def read(self, content: object) -> list[Forecasted]:
        """See Request."""
        return [ONE.validate_python(answer) for answer in self.each(content)]


REQUEST: Final = ForecastingRequest
ANSWER: Final = TypeAdapter[object](Forecasted | list[Forecasted])
