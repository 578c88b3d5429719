"""Determines the step of a series: the interval between its times."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.series.arrays import Times
from pipelines.stage import StageError

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86_400, 604_800  # seconds
MONTHS: Final = {1: "month", 3: "quarter", 12: "year"}
LONGEST_SEASON: Final = 2016  # steps: a week of five minutes each
LONG_BREAK: Final = np.timedelta64(5, "D")  # of working days: a weekend with holidays on both sides
CLOCKS: Final = " Local time has such a gap or overlap when clocks change; write times in UTC, or with their offset."


@dataclass(frozen=True)
class Step:
    """The interval from one time of a regular series to the next.

    Attributes:
        name: of one step, such as "hour" or "15 minutes".
        cycles: steps in a natural cycle, such as a day and a week, shortest first.
    """

    name: str
    cycles: tuple[int, ...]

    def times(self, count: int) -> str:
        """A number of steps, in words."""
        if self.name[0].isdigit():
            return f"{count} x {self.name}"
        return f"{count} {self.name}" + ("s" if count != 1 else "")


def step_of(times: Times, where: str) -> Step:
    """Find the step of a series.

    Args:
        times: ascending, two or more, [T].
        where: name of the series for messages.

    Raises:
        StageError: the times are not regular, or some are missing.
    """
    days = times.astype("datetime64[D]")
    if (months := _months(times, days)) is not None:
        apart = _regular(months, times, where, lambda count: MONTHS.get(count, f"{count} months"))
        return Step(MONTHS.get(apart, f"{apart} months"), (12 // apart,) if apart in (1, 3) else ())
    if _are_working_days(times, days):
        return Step("working day", (5,))
    apart = _regular(times.astype("datetime64[s]").astype(np.int64), times, where, duration)
    return Step(duration(apart), tuple(_cycles(apart)))


def _cycles(apart: int) -> Iterator[int]:
    """Natural cycles of a step, given in seconds."""
    for whole in (HOUR, DAY, WEEK, 52 * WEEK):
        if whole % apart == 0 and 3 <= whole // apart <= LONGEST_SEASON and (whole <= WEEK or apart == WEEK):
            yield whole // apart


def _months(times: Times, days: Times) -> NDArray[np.int64] | None:
    """The month number of each time, if all times are on the same day of the month or all on the last one."""
    months = days.astype("datetime64[M]")
    if (np.diff(months.astype(np.int64)) < 1).any() or (times.astype("datetime64[s]") != days).any():
        return None
    first = (days - months.astype("datetime64[D]")).astype(np.int64)
    last = days + 1 == (months + 1).astype("datetime64[D]")
    return months.astype(np.int64) if (first == first[0]).all() or last.all() else None


def _are_working_days(times: Times, days: Times) -> bool:
    """Whether these are trading or working days: none is on a weekend, and there is no break longer than LONG_BREAK."""
    weekdays = (days.astype(np.int64) + 3) % 7  # Monday: 0
    if (times.astype("datetime64[s]") != days).any() or (weekdays > 4).any() or len(days) < 10:
        return False
    apart = np.diff(days)
    return bool((apart <= LONG_BREAK).all() and (apart == np.timedelta64(1, "D")).mean() > 0.5)


def _regular(places: NDArray[np.int64], times: Times, where: str, named: Callable[[int], str]) -> int:
    """The constant difference between neighbours.

    Raises:
        StageError: it is not constant.
    """
    apart = np.diff(places)
    found, counts = np.unique(apart, return_counts=True)
    step = int(found[np.argmax(counts)])
    hint = CLOCKS if np.median(np.diff(times)) < np.timedelta64(1, "D") else ""
    if (odd := apart % step != 0).any():
        i = int(np.argmax(odd))
        raise StageError(
            f"{where}: the times are not regular: most are {_one(named(step))} apart, but {written(times[i])} and"
            f" {written(times[i + 1])} {_one(named(int(apart[i])))}; write one for each {named(step)}, such as a mean.{hint}"
        )
    if (gap := apart > step).any():
        i, missing = int(np.argmax(gap)), int((apart // step - 1).sum())
        raise StageError(
            f"{where}: times are {_one(named(step))} apart, and {missing} of {missing + len(times)} are missing, the first"
            f" between {written(times[i])} and {written(times[i + 1])}; write a record for each, for example interpolated.{hint}"
        )
    return step


def _one(name: str) -> str:
    return name if name[0].isdigit() else f"one {name}"


def written(time: np.datetime64) -> str:
    """A time in the settings' format: without a time of day if that is midnight."""
    return str(time.astype("datetime64[s]")).removesuffix("T00:00:00")


def duration(seconds: int) -> str:
    """A duration in the largest unit that divides it."""
    units = {"week": WEEK, "day": DAY, "hour": HOUR, "minute": MINUTE, "second": 1}
    name, size = next((name, size) for name, size in units.items() if seconds % size == 0)
    return name if seconds == size else f"{seconds // size} {name}s"
