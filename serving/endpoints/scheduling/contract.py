"""Requests to schedulers, and their answers."""

from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from models.names import SideName
from models.series.market import COLUMNS, RECIPE
from serving.bundle import GRAPH
from serving.contract.requests import OneOrMany, Request
from serving.contract.strict import Strict

NEEDED: Final = ("orders",)
ALLOWED: Final = ()
FILES: Final = (RECIPE, GRAPH)
NAMES: Final = COLUMNS  # of a market's columns

Column = Annotated[list[float | str], Field(description="one value per day, oldest first")]


class Order(Strict):
    """An order to buy or sell."""

    side: SideName
    share: Annotated[float, Field(description="size of the order, as a share of the volume expected over the horizon")]
    horizon: Annotated[int, Field(description="number of trading days; the first is the one after the last day in the request")]
    risk_aversion: Annotated[
        float,
        Field(description="weight of the variance against the cost, both for a day's volume; 0: only the cost, spread evenly"),
    ]


class OrderInput(Strict):
    """An order and the last days of its market. Without `dates`, the calendar of the coming days is not used."""

    order: Order
    high: Column
    low: Column
    close: Column
    volume: Column
    dates: Annotated[
        list[str] | None,
        Field(description="dates of the days, such as 2018-12-31; coming days follow New York's trading calendar"),
    ] = None


class SchedulingParameters(Strict):
    """What to return beside the schedule."""

    closed_form: bool = Field(default=False, description="also return the optimal schedule of Almgren and Chriss; default false")


class ScheduledDay(Strict):
    """A day of the horizon."""

    day: Annotated[int, Field(description="counted from 1")]
    date: Annotated[str | None, Field(description="absent if the input has no dates")] = None
    share: Annotated[float, Field(description="share of the order")]
    volume_share: Annotated[float, Field(description="expected share of the volume over the horizon")]
    closed_form: Annotated[float | None, Field(description="share of the order in the closed-form schedule; on request")] = None


class Simulated(Strict):
    """The expected cost of the schedule, in basis points of the order's value, simulated by an impact model, not measured."""

    cost_bps: Annotated[float, Field(description="spread, temporary and permanent impact")]
    deviation_bps: Annotated[float, Field(description="one standard deviation, from the market's moves")]


class Scheduled(Strict):
    """The answer to an input. The shares of each kind add up to one."""

    side: SideName
    days: list[ScheduledDay]
    volatility: Annotated[float, Field(description="standard deviation of daily returns, estimated from the days in the request")]
    simulated: Simulated


ONE: Final = TypeAdapter(Scheduled)


class SchedulingRequest(Request):
    """Orders to schedule, each with its market."""

    EXPECTED = ("an object with an order and the columns of its market", "such objects")

    inputs: OneOrMany[OrderInput]
    parameters: SchedulingParameters = SchedulingParameters()

    def read(self, content: object) -> list[Scheduled]:
        """See Request."""
        return [ONE.validate_python(answer) for answer in self.each(content)]


REQUEST: Final = SchedulingRequest
ANSWER: Final = TypeAdapter[object](Scheduled | list[Scheduled])
