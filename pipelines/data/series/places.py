"""Finds a record's line in a file, for messages."""

import csv
from collections.abc import Iterator
from pathlib import Path

from pipelines.data.reading.formats import Csv, JsonLines
from pipelines.data.reading.source import RowSource
from pipelines.data.reading.text_files import lines_of


def place_of(table: RowSource, folder: Path, number: int) -> str:
    """The line on which a record begins; the record's number in a file without lines.

    Args:
        table: the file.
        folder: its folder.
        number: of the record, from 1.
    """
    match table:
        case Csv():
            lines = _lines_of_csv(folder / table.file, table.delimiter)
        case JsonLines():
            lines = (i for i, line in enumerate(lines_of(folder / table.file), start=1) if line.strip())
        case _:
            return f"record {number}"
    return f"line {next(line for i, line in enumerate(lines, start=1) if i == number)}"


def _lines_of_csv(path: Path, delimiter: str) -> Iterator[int]:
    """The first line of each record after the header."""
    reader, begin, header = csv.reader(lines_of(path), delimiter=delimiter), 1, True
    for row in reader:
        if row and not header:
            yield begin
        header, begin = header and not row, reader.line_num + 1
