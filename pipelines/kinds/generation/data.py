"""Prepares texts for a text generator: from raw rows to splits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from models.text.characters import CharacterTokenizer
from models.text.normalize import normalize, normalize_label
from models.text.special import BOS, EOS
from pipelines.data.counts import UnitCounts
from pipelines.data.reading.source import Clean, Row, RowSource
from pipelines.data.splitting.table import Texts
from pipelines.data.writing import Divided, write_prepared
from pipelines.kinds.generation.settings import GenerationTask

COLUMNS = ("text", "label")
KEYS = ("text",)
UNLABELLED = "text"  # the label of rows without one


def rows(_: GenerationTask, source: RowSource, raw: Path) -> Iterator[Row]:
    """See `pipelines.kinds.parts.Data`."""
    return source.rows(raw)


def cleaner(task: GenerationTask, _: Sequence[Row]) -> Clean:
    """See `pipelines.kinds.parts.Data`."""

    def clean(row: Row, _: RowSource) -> Row | str:
        text = normalize(row.text, lowercase=task.prepare.lowercase)
        if not text:
            return "empty"
        if len(text) > task.prepare.max_length and row.split in ("", "train"):
            return "too_long"
        return replace(row, text=text, label=normalize_label(row.label) or UNLABELLED)

    return clean


def write(task: GenerationTask, divided: Divided, folder: Path) -> dict[str, float]:
    """See `pipelines.kinds.parts.Data`."""
    tokenizer = CharacterTokenizer.train(divided.sample("text"), lowercase=task.prepare.lowercase, min_count=2)
    ids, counted = {label: i for i, label in enumerate(divided.labels)}, UnitCounts()

    def encode(texts: Texts) -> Mapping[str, list[int] | list[list[int]]]:
        encoded = [[BOS, *tokenizer.encode(text), EOS] for text in texts["text"]]
        counted.add(encoded)
        return {"characters": encoded, "label": [ids[label] for label in texts["label"]]}

    return {**write_prepared(folder, divided, tokenizer, encode), **counted.statistics}
