"""Prepares raw rows as splits."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from models.text.characters import CharacterTokenizer
from pipelines.data.reading.source import Clean, Row, RowSource
from pipelines.data.splitting.table import Texts
from pipelines.data.writing import Divided, write_prepared
from pipelines.settings.tasks import Task

COLUMNS = ("text",)
KEYS = ("text",)


def rows(_: Task, source: RowSource, raw: Path) -> Iterator[Row]:
    return source.rows(raw)


def cleaner(_: Task, __: Sequence[Row]) -> Clean:
    return lambda row, _: row if row.text else "empty"


def write(_: Task, divided: Divided, folder: Path) -> dict[str, float]:
    tokenizer = CharacterTokenizer.train(divided.sample("text"), lowercase=True)

    def encode(texts: Texts) -> Mapping[str, list[int] | list[list[int]]]:
        vowels = [sum(letter in "aeiou" for letter in text.lower()) for text in texts["text"]]
        return {"characters": [tokenizer.encode(text) for text in texts["text"]], "label": vowels}

    return write_prepared(folder, divided, tokenizer, encode)
