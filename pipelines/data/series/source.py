"""Series sources: one file of a data set and the meaning of its columns."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from models.series.arrays import Columns, Times
from pipelines.data.catalogue import DataSet
from pipelines.data.reading.formats import Csv, JsonLines, Parquet
from pipelines.data.reading.source import Record, RowSource
from pipelines.data.series.fields import number_of, time_of
from pipelines.data.series.places import place_of
from pipelines.settings.errors import closest, explained
from pipelines.stage import StageError


@dataclass(frozen=True)
class Series:
    """One regular series: its observations over time.

    Attributes:
        name: of the series within its data set.
        times: ascending, [T].
        columns: name -> finite values, [T].
    """

    name: str
    times: Times
    columns: Columns

    def __len__(self) -> int:
        """Number of times."""
        return len(self.times)


class SeriesSource(BaseModel):
    """A file of a data set, and how to read series from it. A record has a time and the observations at that time.

    Attributes:
        file: path relative to the data set's folder.
        table: the file's format.
        delimiter: between the fields of a CSV file.
        time: the time column.
        dates: its format, as for `datetime.strptime`; empty for ISO 8601.
        columns: ours -> the file's. Empty for a file with one series per column.
        each: for such a file, what each column contains; a series is named after its column.
        group: the column that names the series, in a file with several.
        name: of the series, in a file with one.
        unsorted: whether records may be in any order; otherwise a record earlier than its predecessor is an error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["series"]
    file: str
    table: Literal["csv", "jsonl", "parquet"] = "csv"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    time: str
    dates: str = ""
    columns: Mapping[str, str] = Field(default_factory=dict)
    each: str = ""
    group: str = ""
    name: str = ""
    unsorted: bool = False

    @model_validator(mode="after")
    def _says_what_is_read(self) -> Self:
        if bool(self.columns) == bool(self.each):
            raise ValueError("either `columns` or `each` says what the columns are")
        if not self.each and bool(self.group) == bool(self.name):
            raise ValueError("either `group` or `name` says which series a record belongs to")
        return self

    def read(self, folder: Path) -> list[Series]:
        """The series of the file.

        Args:
            folder: the download stage's output for the data set.

        Raises:
            StageError: a column is missing, a value is not a finite number, a time is not a date, or times are not ascending.
        """
        times, rows = defaultdict[str, list[datetime]](list), defaultdict[str, list[list[float]]](list)
        path = folder / self.file
        for number, record in enumerate(self.table_source.records(folder), start=1):
            if number == 1:
                self._check(record, str(path))
            try:
                time = time_of(record[self.time].strip(), self.dates)
                for name, columns in self._parts(record):
                    times[name].append(time)
                    rows[name].append([number_of(record[column], column) for column in columns])
            except KeyError as error:
                raise StageError(f"{path}, {place_of(self.table_source, folder, number)}: there is no column {error}") from error
            except ValueError as error:
                raise StageError(f"{path}, {place_of(self.table_source, folder, number)}: {error}") from error
        if not times:
            raise StageError(f"{path} has no record")
        return [self._series(name, times[name], rows[name], path) for name in sorted(times)]

    @property
    def table_source(self) -> RowSource:
        """The file as a table of texts."""
        match self.table:
            case "csv":
                return Csv(format="csv", file=self.file, delimiter=self.delimiter)
            case "jsonl":
                return JsonLines(format="jsonl", file=self.file)
            case "parquet":
                return Parquet(format="parquet", file=self.file)

    def _check(self, record: Record, where: str) -> None:
        for column in (self.time, *self.columns.values(), *([self.group] if self.group else [])):
            if column not in record:
                raise StageError(f"{where} has no column {column!r}{closest(column, record)}")

    def _parts(self, record: Record) -> Iterator[tuple[str, Sequence[str]]]:
        """The series that a record belongs to, and the file's columns that have its values."""
        if self.each:
            yield from ((column, [column]) for column in record if column != self.time)
        else:
            yield record.get(self.group, "") if self.group else self.name, list(self.columns.values())

    def _series(self, name: str, times: Sequence[datetime], rows: Sequence[Sequence[float]], path: Path) -> Series:
        if self.unsorted:
            order = sorted(range(len(times)), key=times.__getitem__)
            times, rows = [times[i] for i in order], [rows[i] for i in order]
        for before, after in pairwise(times):
            if after <= before:
                fault = "occurs twice" if after == before else f"comes after {before}"
                raise StageError(f"{path}: in the series {name!r}, {after} {fault}; sort the file by time, one record each")
        values = np.array(rows, np.float64)
        names = [self.each] if self.each else list(self.columns)
        return Series(name, np.array(times, "datetime64[s]"), {ours: values[:, i] for i, ours in enumerate(names)})


_SOURCES: TypeAdapter[list[SeriesSource]] = TypeAdapter(Annotated[list[SeriesSource], Field(min_length=1)])


def sources_of_series(data_set: DataSet, name: str) -> list[SeriesSource]:
    """The series sources of a data set.

    Raises:
        StageError: its entry does not define how to read series.
    """
    keys: list[dict[str, Any]] = list(data_set.rows)
    try:
        return _SOURCES.validate_python(keys)
    except ValidationError as error:
        raise StageError(f"{name}.rows has no series: {explained(error, list[SeriesSource])}") from error


def read_series(data_set: DataSet, name: str, folder: Path) -> list[Series]:
    """All series of a data set.

    Args:
        data_set: its entry in the catalogue.
        name: its id.
        folder: the download stage's output for it.

    Raises:
        StageError: the entry does not define how to read series, or a file is invalid.
    """
    found = [series for source in sources_of_series(data_set, name) for series in source.read(folder)]
    names = [series.name for series in found]
    if twice := sorted({one for one in names if names.count(one) > 1}):
        raise StageError(f"{name}: there are two series with the name {twice[0]!r}")
    return found
