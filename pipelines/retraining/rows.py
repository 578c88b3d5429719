"""Rows of training data from feedback on a server's answers."""

import csv
from collections.abc import Sequence
from pathlib import Path

from pipelines.stage import StageError
from serving.records import Feedback, Recorded

Row = dict[str, str]
# Kind of task -> its columns. What was generated has no right answer.
COLUMNS = {"classification": ("text", "label"), "translation": ("source", "target")}


def rows_of(kind: str, judged: Sequence[tuple[Recorded, Feedback]]) -> list[Row]:
    """The rows of feedback whose input was kept; the latest of several on the same input.

    Args:
        kind: of task.
        judged: answers with what is right, oldest first.

    Raises:
        StageError: feedback on this kind of task gives no rows.
    """
    if kind not in COLUMNS:
        raise StageError(f"feedback cannot train a task of the kind {kind}; only {' and '.join(COLUMNS)} have right answers")
    given, right = COLUMNS[kind]
    found: dict[str, Row] = {}
    for answer, feedback in judged:
        expected = feedback.expected if kind == "classification" else feedback.text
        if answer.input and expected:
            found[answer.input] = {given: answer.input, right: expected}
    return list(found.values())


def fresh(path: Path, rows: Sequence[Row]) -> int:
    """The number of rows that a CSV file lacks, or has with another answer."""
    before = _read(path)
    return sum(before.get(_input(row)) != row for row in rows)


def merge(path: Path, rows: Sequence[Row]) -> None:
    """Add rows to a CSV file; a row with the same input as an earlier one replaces it."""
    after = _read(path) | {_input(row): row for row in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(after.values())


def _read(path: Path) -> dict[str, Row]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {_input(row): row for row in csv.DictReader(file)}


def _input(row: Row) -> str:
    return next(iter(row.values()))
