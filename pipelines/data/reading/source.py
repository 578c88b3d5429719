"""Row sources: one file of a data set and the meaning of its columns."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from pipelines.data.reading.text_files import LONGEST
from pipelines.settings.errors import closest
from pipelines.stage import StageError

Record = Mapping[str, str]
Column = Literal["text", "label", "source", "target", "group", "split", "time"]
SplitName = Literal["train", "valid", "test"]
SPLIT_NAMES = {
    "training": "train",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "development": "valid",
    "testing": "test",
}
# Between sentences: white space after an end mark and before a capital letter.
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-ZÀ-Ý«\"(])")


@dataclass(frozen=True, slots=True)
class Row:
    """One example; fields that a kind of task does not use are empty.

    Attributes:
        text: to classify, or to learn to generate.
        label: of the text.
        source: a sentence in one language.
        target: its translation.
        group: rows of one group stay in one split.
        split: train, valid, test, or the name of an additional test set; empty if the data set does not define splits.
        time: rows are split by it, the latest go to the test split: a number, or an ISO 8601 date.
    """

    text: str = ""
    label: str = ""
    source: str = ""
    target: str = ""
    group: str = ""
    split: str = ""
    time: str = ""


CONTENT = ("text", "label", "source", "target")  # columns that need no mapping if the file uses the same names


class RowSource(BaseModel):
    """A file of a data set, and how to read rows from it.

    Attributes:
        file: path relative to the data set's folder.
        columns: ours -> the file's; text, label, source and target need no mapping if the file uses the same names.
        values: ours -> a constant value for all rows.
        where: the file's column -> allowed values; other records are skipped.
        labels: the file's -> ours; unlisted labels stay as they are.
        pattern: a regular expression; rows whose text it does not match in full are dropped.
        languages: the tags (BCP 47) of `source` and `target`.
        splits: the splits that rows may go to.
        unlike: drop held-out rows that differ only in some words from a row of another split.
        repeats: number of times each row occurs in the training split.
        sentences: cut a pair of paragraphs into sentences if both have the same number; they stay in one group.
        dictionary: rows are dictionary entries, which may be short and differ in length.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    columns: Mapping[Column, str] = Field(default_factory=dict)
    values: Mapping[Column, str] = Field(default_factory=dict)
    where: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    labels: Mapping[str, str] = Field(default_factory=dict)
    pattern: Annotated[str, Field(min_length=1)] | None = None
    languages: tuple[str, str] | None = None
    splits: Annotated[tuple[SplitName, ...], Field(min_length=1)] = ("train", "valid", "test")
    unlike: bool = False
    repeats: PositiveInt = 1
    sentences: bool = False
    dictionary: bool = False

    def records(self, folder: Path) -> Iterator[Record]:
        """The records of the file, in its order.

        Args:
            folder: the download stage's output for the data set.

        Raises:
            StageError: a record is invalid; the message names its line.
        """
        raise NotImplementedError

    def rows(self, folder: Path) -> Iterator[Row]:
        """The rows of the file, in its order.

        Raises:
            StageError: a record is invalid, or a column is missing.
        """
        for number, record in enumerate(self.records(folder), start=1):
            if number == 1:
                self._check(record, folder)
            if all(record.get(column) in values for column, values in self.where.items()):
                yield from self._cut(self._row(record, folder, number), number)

    def _check(self, record: Record, folder: Path) -> None:
        for column in (*self.columns.values(), *self.where):
            if column not in record:
                raise StageError(f"{folder / self.file} has no column {column!r}{closest(column, record)}")

    def _row(self, record: Record, folder: Path, number: int) -> Row:
        named = {column: column for column in CONTENT if column in record} | {**self.columns}
        given = {ours: record.get(theirs, "") for ours, theirs in named.items()}
        if any(len(value) > LONGEST for value in given.values()):
            raise StageError(f"{folder / self.file}, record {number}: a field is longer than {LONGEST:,} characters")
        row = Row(**(given | dict(self.values)))
        if row.split:
            row = replace(row, split=SPLIT_NAMES.get(row.split.lower(), row.split))
        return replace(row, label=self.labels.get(row.label, row.label)) if self.labels else row

    def _cut(self, row: Row, number: int) -> Iterator[Row]:
        if self.pattern and not re.fullmatch(self.pattern, row.text):
            return
        sides = (
            [SENTENCE_END.split(row.source), SENTENCE_END.split(row.target)] if self.sentences else [[row.source], [row.target]]
        )
        if len(sides[0]) != len(sides[1]) or len(sides[0]) == 1:
            yield row
        else:
            group = row.group or f"{self.file}:{number}"
            yield from (replace(row, source=s, target=t, group=group) for s, t in zip(*sides, strict=True))


Clean = Callable[[Row, RowSource], Row | str]
"""Returns the cleaned row, or a short reason for dropping it."""
