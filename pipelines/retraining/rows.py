"""Rows of training data from feedback on a server's answers."""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from pipelines.data.reading.formats import Csv
from pipelines.settings.errors import closest
from pipelines.stage import StageError
from serving.records import Feedback, Recorded

Row = dict[str, str]
# Kind of task -> its columns: the input, and the right answer. What was generated has no right answer.
COLUMNS = {"classification": ("text", "label"), "translation": ("source", "target")}
TIME = "time"  # column with the time of the answer, for data that is split by time


def rows_of(kind: str, judged: Sequence[tuple[Recorded, Feedback]]) -> list[Row]:
    """The rows of feedback whose input was kept; the latest of several on the same input.

    Args:
        kind: of task; one of COLUMNS.
        judged: answers with what is right, oldest first.
    """
    given, right = COLUMNS[kind]
    found: dict[str, Row] = {}
    for answer, feedback in judged:
        expected = feedback.expected if kind == "classification" else feedback.text
        if answer.input and expected and "\0" not in answer.input + expected:  # files with a NUL are not read as text
            time = datetime.fromtimestamp(answer.at, UTC).isoformat(timespec="seconds")
            found[answer.input] = {given: answer.input, right: expected, TIME: time}
    return list(found.values())


def read(path: Path, kind: str) -> list[Row]:
    """The rows of a CSV file, which a person may have edited; none if it does not exist.

    Raises:
        StageError: it is not UTF-8, a record is invalid, or a column is missing.
    """
    if not path.exists():
        return []
    rows = [dict(record) for record in Csv(format="csv", file=path.name).records(path.parent)]
    for column in COLUMNS[kind]:
        if rows and column not in rows[0]:
            raise StageError(f"{path} has no column {column!r}{closest(column, rows[0])}")
    return rows


def as_csv(rows: Iterable[Row], kind: str) -> str:
    """The content of a CSV file with all columns that a row has, also those that a person has added."""
    rows = list(rows)
    columns = dict.fromkeys([*COLUMNS[kind], TIME, *(column for row in rows for column in row)])
    text = StringIO(newline="")
    writer = csv.DictWriter(text, list(columns), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
