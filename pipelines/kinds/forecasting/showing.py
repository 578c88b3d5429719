"""Example requests of a forecaster, for its archive."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.packaging.requests import request
from pipelines.settings.errors import closest
from pipelines.stage import StageError
from pipelines.windows import mapped, read_places
from serving.endpoints.forecasting.contract import DATES
from serving.predictors.forecasting import read_recipe

DIGITS = 6  # significant digits of a value in a request


def requests(task: ForecastingTask, prepared: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """See `pipelines.kinds.parts.Showing`: the data known at the end of the validation split."""
    series = [_known(prepared, name) for name in task.examples]
    more: dict[str, object] = {"quantiles": [0.1, 0.9]} if task.model.loss == "qlike" else {}
    yield "A series", request(series[0], **more)
    if task.model.attention not in ("last", "uniform"):
        yield "A series, with the attention over its days", request(series[0], attention=True)
    if len(series) > 1:
        yield "Several series", request(series)


def typical(_: Path) -> list[Any]:
    """See `pipelines.kinds.parts.Showing`: the lengths of series are not informative."""
    return []


def _known(prepared: Path, name: str) -> dict[str, Any]:
    """The last time steps before the test split, as many as a forecast needs."""
    places, recipe = read_places(prepared), read_recipe(prepared)
    if name not in places:
        raise StageError(f"examples: there is no series {name!r}{closest(name, places)}")
    ends, (first, behind) = np.load(prepared / "valid.npy"), places[name]
    last = int(ends[(ends >= first) & (ends < behind)][-1])
    rows = slice(last + 1 - recipe.needed, last + 1)
    raw, times = mapped(prepared, "raw")[rows], np.load(prepared / "times.npy", mmap_mode="r")[rows]
    columns: dict[str, Any] = {
        column: [float(f"{value:.{DIGITS}g}") for value in raw[:, i]] for i, column in enumerate(recipe.columns)
    }
    return columns | {DATES: [_written(int(time)) for time in times]}


def _written(second: int) -> str:
    return str(np.datetime64(second, "s")).removesuffix("T00:00:00")
