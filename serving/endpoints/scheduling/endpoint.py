"""Endpoint of a scheduler."""

from collections.abc import Hashable, Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from models.series.sessions import coming
from serving.bundle import Bundle
from serving.contract.requests import input_error
from serving.endpoints.scheduling.checks import check_input, columns_of, days_of
from serving.endpoints.scheduling.contract import OrderInput, SchedulingParameters, SchedulingRequest
from serving.endpoints.shared import Emit, Json, as_sent
from serving.predictors.scheduling import Asked, Scheduler, Schedules
from serving.predictors.watch import Watch
from serving.telemetry.meter import Text

DIGITS = 6  # decimals of a share
POINTS = 1e4  # basis points


class Endpoint:
    """Schedules of orders."""

    request = SchedulingRequest

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._scheduler = Scheduler(folder, bundle)

    def check(self, request: SchedulingRequest) -> None:
        """Refuse orders that the model was not trained for, and invalid markets."""
        scheduler = self._scheduler
        for i, asked in enumerate(request.each_input):
            fault = check_input(asked, scheduler.limits, scheduler.recipe.window, scheduler.bundle.max_length)
            if fault:
                raise input_error(request, i, *fault)

    def group(self, _: SchedulingRequest) -> Hashable:
        """All requests share one batch."""
        return None

    def answer(self, requests: Sequence[SchedulingRequest], _: Sequence[Emit], watch: Watch) -> list[Json]:
        """The schedule of each order."""
        found = self._scheduler.schedule([_asked(one) for r in requests for one in r.each_input], watch=watch)
        rows = count()
        return [as_sent(r, [_answer(one, found, next(rows), r.parameters) for one in r.each_input]) for r in requests]

    def measure(self, request: SchedulingRequest, _: Json) -> Iterator[Text]:
        """Length of each market."""
        yield from (Text(len(asked.close)) for asked in request.each_input)


def _asked(one: OrderInput) -> Asked:
    columns = {name: np.array(values, np.float64) for name, values in columns_of(one).items()}
    return Asked(columns, days_of(one), one.order.horizon, one.order.share, one.order.risk_aversion)


def _answer(one: OrderInput, found: Schedules, row: int, parameters: SchedulingParameters) -> Json:
    """An answer in the form of `contract.Scheduled`."""
    days, known = list[Json](), days_of(one)
    ahead = None if known is None else coming(known[-1], one.order.horizon)
    for i in range(one.order.horizon):
        day: Json = {"day": i + 1}
        if ahead is not None:
            day["date"] = str(ahead[i])
        day |= {"share": round(float(found.order[row, i]), DIGITS), "volume_share": round(float(found.volume[row, i]), DIGITS)}
        if parameters.closed_form:
            day["closed_form"] = round(float(found.closed_form[row, i]), DIGITS)
        days.append(day)
    expected, deviation = float(found.cost.expected[row]) * POINTS, float(found.cost.deviation[row]) * POINTS
    simulated = {"cost_bps": round(expected, 3), "deviation_bps": round(deviation, 3)}
    return {"side": one.order.side, "days": days, "volatility": float(found.deviation[row]), "simulated": simulated}
