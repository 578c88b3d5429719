"""Analyses a file's time column: its format, its order and its errors."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from models.series.arrays import Times
from pipelines.data.reading.source import RowSource
from pipelines.data.series.fields import time_of
from pipelines.data.series.places import place_of
from pipelines.new.series.steps import CLOCKS, written
from pipelines.stage import StageError

# Formats for `datetime.strptime`; empty for ISO 8601. If two fit all times, the one that makes them more regular is chosen.
FORMATS: Final = (
    "",
    *(
        f"{date}{time}"
        for date in ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m/%d/%y")
        for time in ("", " %H:%M", " %H:%M:%S")
    ),
    "%Y-%m",
    "%Y",
)
SECONDS: Final = (9, 10)  # number of digits of a Unix timestamp


@dataclass(frozen=True)
class TimeColumn:
    """Properties of a time column.

    Attributes:
        dates: its format, see pipelines.data.series.source.SeriesSource.
        unsorted: whether records are not in chronological order.
    """

    dates: str
    unsorted: bool


def look_at_times(table: RowSource, folder: Path, column: str, group: str) -> TimeColumn:
    """Read the column.

    Args:
        table: the file.
        folder: its folder.
        column: the time column.
        group: the column that names the series; empty if there is only one.

    Raises:
        StageError: a time does not have the format of the others, or occurs twice in a series.
    """
    texts, numbers = defaultdict[str, list[str]](list), defaultdict[str, list[int]](list)
    for number, record in enumerate(table.records(folder), start=1):
        name = record.get(group, "") if group else ""
        texts[name].append(record.get(column, "").strip())
        numbers[name].append(number)
    dates = _format(table, folder, texts, numbers)
    found = {name: np.array([time_of(text, dates) for text in some], "datetime64[s]") for name, some in texts.items()}
    for name, times in found.items():
        _refuse_twice(table, folder, times, numbers[name], grouped=bool(group))
    return TimeColumn(dates, any((times[1:] < times[:-1]).any() for times in found.values()))


def _format(table: RowSource, folder: Path, texts: dict[str, list[str]], numbers: dict[str, list[int]]) -> str:
    """The format of all times."""
    fitting: Sequence[str] = FORMATS
    for name, some in texts.items():
        for text, number in zip(some, numbers[name], strict=True):
            if not (left := [dates for dates in fitting if _fits(text, dates)]):
                raise StageError(f"{table.file}, {place_of(table, folder, number)}: {_unlike(text, fitting)}")
            fitting = left
    return max(fitting, key=lambda dates: _regularity(next(iter(texts.values())), dates))


def _fits(text: str, dates: str) -> bool:
    try:
        time_of(text, dates)
    except ValueError:
        return False
    return True


def _unlike(text: str, fitting: Sequence[str]) -> str:
    if text.isdigit() and len(text) in SECONDS:
        written = datetime.fromtimestamp(int(text)).astimezone().isoformat()
        return f"{text!r} is a Unix timestamp; write times as 2018-12-31T23:00, this one as {written}"
    if len(fitting) == len(FORMATS):
        return f"{text!r} is not a time; write times as 2018-12-31 or 2018-12-31T23:00"
    return f"{text!r} does not have the format of the times before it, {fitting[0] or 'ISO 8601'}; write all in one format"


def _regularity(texts: Sequence[str], dates: str) -> float:
    """The share of the most frequent difference between neighbours."""
    times = np.array([time_of(text, dates) for text in texts], "datetime64[s]")
    _, counts = np.unique(np.diff(np.sort(times)), return_counts=True)
    return float(counts.max() / counts.sum()) if len(counts) else 0.0


def _refuse_twice(table: RowSource, folder: Path, times: Times, numbers: Sequence[int], *, grouped: bool) -> None:
    """Raises StageError if a series has two records for one time."""
    order = np.argsort(times, kind="stable")
    same = np.flatnonzero(np.diff(times[order]) == np.timedelta64(0, "s"))
    if not len(same):
        return
    first, second = (numbers[order[same[0] + i]] for i in (0, 1))
    places = " and ".join(place_of(table, folder, number) for number in (first, second))
    several = "" if grouped else "; if the file has several series, name the column that distinguishes them: --group COLUMN"
    twice = written(times[order[same[0]]])
    raise StageError(f"{table.file}: {twice} occurs twice, in {places}; keep one record for each time{several}.{CLOCKS}")
