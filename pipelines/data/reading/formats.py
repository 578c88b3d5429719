"""Reads records from files of various formats. A record maps column names to strings."""

import csv
import json
from collections.abc import Iterator
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, Literal
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import iterparse
from pydantic import Field

from pipelines.data.reading.source import Record, RowSource
from pipelines.data.reading.text_files import LONGEST, lines_of
from pipelines.stage import StageError

LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
BATCH = 10_000  # rows of a Parquet file in memory at a time


class Csv(RowSource):
    """Fields between delimiters (RFC 4180); the first record is the header, unless `names` is given.

    Attributes:
        delimiter: one character.
        quoted: whether quotation marks enclose fields; otherwise they are ordinary characters.
        names: the column names, for a file without a header.
    """

    format: Literal["csv"]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quoted: bool = True
    names: tuple[str, ...] = ()

    def records(self, folder: Path) -> Iterator[Record]:
        """See `RowSource`."""
        csv.field_size_limit(LONGEST)
        path = folder / self.file
        options: dict[str, Any] = {"delimiter": self.delimiter, "strict": True}
        reader = csv.reader(lines_of(path), quoting=csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE, **options)
        names: tuple[str, ...] | list[str] = self.names
        line = 1
        try:
            for row in reader:
                if not names:
                    names = row
                elif row and len(row) != len(names):
                    raise StageError(f"{path}, line {line}: the record has {len(row)} fields, not {len(names)}")
                elif row:
                    yield dict(zip(names, row, strict=True))
                line = reader.line_num + 1
        except csv.Error as error:
            raise StageError(f"{path}, line {line}: {error}; is a quotation mark left open in this record?") from error


class JsonLines(RowSource):
    """One JSON object per line."""

    format: Literal["jsonl"]

    def records(self, folder: Path) -> Iterator[Record]:
        """See `RowSource`; values that are not strings are converted to JSON."""
        path = folder / self.file
        for number, line in enumerate(lines_of(path), start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise StageError(f"{path}, line {number}: this is not JSON ({error})") from error
            if not isinstance(record, dict):
                raise StageError(f"{path}, line {number}: this is not a JSON object")
            yield {key: _string(value) for key, value in record.items()}


class Parquet(RowSource):
    """An Apache Parquet file."""

    format: Literal["parquet"]

    def records(self, folder: Path) -> Iterator[Record]:
        """See `RowSource`."""
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        path = folder / self.file
        try:
            for batch in ParquetFile(path).iter_batches(batch_size=BATCH):
                for row in batch.to_pylist():
                    yield {key: _string(value) for key, value in row.items()}
        except ArrowException as error:
            raise StageError(f"{path} is not a readable Parquet file: {error}") from error


class Lines(RowSource):
    """One text per line: the column `text`. Empty lines are skipped."""

    format: Literal["lines"]

    def records(self, folder: Path) -> Iterator[Record]:
        """See `RowSource`."""
        for line in lines_of(folder / self.file):
            if text := line.strip():
                yield {"text": text}


class Folders(RowSource):
    """One folder per label, one text file per example: the columns `text` and `label`."""

    format: Literal["folders"]

    def records(self, folder: Path) -> Iterator[Record]:
        """See `RowSource`; sorted by file name."""
        for path in sorted((folder / self.file).glob("*/*")):
            yield {"text": "".join(lines_of(path)).strip(), "label": path.parent.name}


class Aligned(RowSource):
    """Two text files; each line of `translations` is the translation of the same line of `file`.

    Attributes:
        translations: the file with the column `target`; `file` has the column `source`.
    """

    format: Literal["aligned"]
    translations: str

    def records(self, folder: Path) -> Iterator[Record]:
        """See `RowSource`."""
        one, other = folder / self.file, folder / self.translations
        for source, target in zip_longest(lines_of(one), lines_of(other)):
            if source is None or target is None:
                counts = [sum(1 for _ in lines_of(path)) for path in (one, other)]
                raise StageError(f"{one} has {counts[0]} lines, but {other} has {counts[1]}")
            yield {"source": source.strip(), "target": target.strip()}


class Tmx(RowSource):
    """Translation Memory eXchange (LISA TMX 1.4b): one column per language, named by its tag in lower case."""

    format: Literal["tmx"]

    def records(self, folder: Path) -> Iterator[Record]:
        """See `RowSource`; one unit is in memory at a time."""
        path = folder / self.file
        try:
            parents: list[Element] = []
            for event, element in iterparse(path, events=("start", "end")):
                if event == "start":
                    parents.append(element)
                    continue
                parents.pop()
                if element.tag == "tu":
                    yield {tag: text for tag, text in map(_segment, element.iter("tuv")) if text}
                    parents[-1].clear()
        except ParseError as error:
            raise StageError(f"{path} is not well-formed XML: {error}") from error


def _segment(variant: Element) -> tuple[str, str]:
    """The language and the text of one side; inline markup is removed."""
    segment = variant.find("seg")
    text = "" if segment is None else "".join(segment.itertext())
    return (variant.get(LANGUAGE) or variant.get("lang") or "").lower(), text.strip()


def _string(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, date):  # or a datetime; Parquet has both
        return value.isoformat()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
