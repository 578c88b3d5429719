"""Determines the meaning of a file's columns, and thereby how its series are read."""

from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from models.series.quantities import TARGET
from pipelines.data.reading.source import Record
from pipelines.data.series.fields import number_of
from pipelines.data.series.source import SeriesSource
from pipelines.new.look import FORMATS, LOOKED_AT, format_of
from pipelines.new.series.times import look_at_times
from pipelines.new.wish import Wish
from pipelines.settings.errors import closest
from pipelines.stage import StageError
from serving.endpoints.forecasting.contract import DATES

TABLES: Final = ("csv", "jsonl", "parquet")
TIMES: Final = ("time", "date", "datetime", "timestamp", "ds", "hour", "day", "week", "month", "period", "year")
TARGETS: Final = ("target", "value", "y", "demand", "load", "sales", "consumption", "count")


def series_source(folder: Path, file: str, wish: Wish) -> tuple[SeriesSource, str]:
    """How to read a file.

    Args:
        folder: the file's folder.
        file: its name.
        wish: the user's request.

    Returns:
        a source for the catalogue, and the target's name in it.

    Raises:
        StageError: the format has no columns, or a column is missing or invalid.
    """
    keys = _table(folder / file)
    table = SeriesSource.model_validate(keys | {"time": "any", "each": "any"}).table_source
    some = list(islice(table.records(folder), LOOKED_AT))
    if not some:
        raise StageError(f"{file} has no records")
    time, group = _named(some, file, wish, "time", TIMES), wish.columns.get("group", "")
    if group:
        _check(some[0], file, "group", group)
    target, inputs = _numbers(some, file, wish, {time, group})
    columns = {_ours(column, target): column for column in (target, *inputs)}
    found = look_at_times(table, folder, time, group)
    name = {"group": group} if group else {"name": Path(file).name.partition(".")[0]}
    keys |= {"time": time, "dates": found.dates, "columns": columns, "unsorted": found.unsorted} | name
    return SeriesSource.model_validate(keys), _ours(target, target)


def _table(path: Path) -> dict[str, Any]:
    """The keys of a source for the file's format."""
    form = format_of(path)
    if form["format"] not in TABLES:
        ends = ", ".join(end for end in FORMATS if FORMATS[end] in TABLES)
        raise StageError(f"{path.name} has no columns; series are read from files whose names end in {ends}")
    return {"format": "series", "file": path.name, "table": form["format"], "delimiter": form.get("delimiter", ",")}


def _numbers(some: Sequence[Record], file: str, wish: Wish, others: Collection[str]) -> tuple[str, list[str]]:
    """The column to forecast, and the input columns."""
    inputs = [one for given in wish.inputs for one in ([given] if given in some[0] else given.split(","))]
    for column in inputs:
        _check(some[0], file, "inputs", column)
    target = _target(some, file, wish, {*others, *inputs})
    if target in inputs or len(set(inputs)) < len(inputs):
        raise StageError(f"--inputs must be distinct columns other than the target {target!r}")
    return target, inputs


def _named(some: Sequence[Record], file: str, wish: Wish, option: str, usual: Sequence[str]) -> str:
    """The column that an option names, otherwise the first with a common name."""
    if option in wish.columns:
        _check(some[0], file, option, wish.columns[option])
        return wish.columns[option]
    lower = {name.lower(): name for name in some[0]}
    if found := next((lower[name] for name in usual if name in lower), None):
        return found
    raise StageError(f"{file}: cannot tell which column is the {option}; name it: --{option} COLUMN{closest(option, some[0])}")


def _target(some: Sequence[Record], file: str, wish: Wish, others: Collection[str]) -> str:
    """The column to forecast: as given, with a common name, or the only numeric one."""
    numeric = [name for name in some[0] if name not in others and _are_numbers(some, name)]
    if "target" not in wish.columns and len(numeric) == 1:
        return numeric[0]
    target = _named(some, file, wish, "target", [name for name in TARGETS if name not in others])
    if not _are_numbers(some, target):
        shown = next((record[target] for record in some if record[target]), "")
        raise StageError(
            f"{file}: the column {target!r} is not numeric, as {shown!r}; numeric columns: {', '.join(numeric) or 'none'}"
        )
    return target


def _are_numbers(some: Sequence[Record], name: str) -> bool:
    """Whether most values of a column are numbers; a few others are errors, which are reported with their lines."""
    found = 0
    for record in some:
        try:
            number_of(record.get(name, "").replace(",", "."), name)
        except ValueError:
            continue
        found += 1
    return found > len(some) / 2


def _check(record: Record, file: str, option: str, column: str) -> None:
    if column not in record:
        raise StageError(f"{file} has no column {column!r} for --{option}{closest(column, record)}")


def _ours(column: str, target: str) -> str:
    """A column's name in requests: its own, with a suffix if the name is reserved."""
    taken = column == DATES or (column == TARGET and column != target)
    return f"{column}_1" if taken else column
