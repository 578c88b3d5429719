"""Example requests of a scheduler, for its archive."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models.series.market import COLUMNS
from pipelines.kinds.scheduling.settings import SchedulingTask
from pipelines.orders import ENDS, Orders
from pipelines.packaging.requests import request
from pipelines.settings.errors import closest
from pipelines.stage import StageError
from pipelines.windows import mapped

DIGITS = 6  # significant digits of a value in a request


def requests(task: SchedulingTask, prepared: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """See `pipelines.kinds.parts.Showing`: the data known at the end of the validation split."""
    inputs = [{"order": example.model_dump(exclude={"market"}), **_known(prepared, example.market)} for example in task.examples]
    yield "An order and its market", request(inputs[0])
    yield "An order, compared with the closed form", request(inputs[0], closed_form=True)
    undated = {name: values for name, values in inputs[0].items() if name != "dates"}
    yield "Several orders, the last of them without dates", request([*inputs, undated])


def typical(_: Path) -> list[Any]:
    """See `pipelines.kinds.parts.Showing`: the lengths of series are not informative."""
    return []


def _known(prepared: Path, name: str) -> dict[str, Any]:
    """The last days before the test split, as many as a schedule needs."""
    rows = Orders(prepared, "valid")
    if name not in rows.places:
        raise StageError(f"examples: there is no market {name!r}{closest(name, rows.places)}")
    ends, (first, behind) = rows.columns[ENDS], rows.places[name]
    last = int(ends[(ends >= first) & (ends < behind)][-1])
    days = slice(last + 1 - rows.length, last + 1)
    raw, times = mapped(prepared, "raw")[days], np.load(prepared / "times.npy", mmap_mode="r")[days]
    columns: dict[str, Any] = {column: [float(f"{value:.{DIGITS}g}") for value in raw[:, i]] for i, column in enumerate(COLUMNS)}
    return columns | {"dates": [str(np.datetime64(int(time), "s").astype("datetime64[D]")) for time in times]}
