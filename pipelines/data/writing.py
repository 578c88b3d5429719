"""Writes split rows: texts for evaluation and people, ids for training."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.text.vectors import VECTORS, Vector
from pipelines.data.prepared import LABELS, SPLITS, TOKENIZER
from pipelines.data.splitting.table import Places, Table, Texts
from pipelines.store import Column, SplitWriter

LEARNED_FROM: Final = 200_000  # maximum training rows that a tokenizer is learned from: a sample is enough and bounds memory

Encode = Callable[[Texts], Mapping[str, Column]]
Vary = Callable[[Texts], Texts]


class Tokenizer(Protocol):
    """The interface that the character, subword and word tokenizers share."""

    @property
    def size(self) -> int:
        """Number of ids."""

    def encode(self, text: str) -> list[int]:
        """Convert text to ids."""

    def save(self, path: Path) -> None:
        """Write as JSON."""


@dataclass(frozen=True)
class Divided:
    """Rows in splits, on disk.

    Attributes:
        table: all rows.
        places: split -> its rows, in order. Splits other than SPLITS are additional test sets.
        labels: the class names in id order; empty if there are none.
    """

    table: Table
    places: Mapping[str, Places]
    labels: Sequence[str]

    def batches(self, split: str) -> Iterator[Texts]:
        """The rows of a split: column -> texts, in batches."""
        return self.table.batches(self.places[split])

    def sample(self, *columns: str) -> Iterator[str]:
        """Texts of the first LEARNED_FROM rows of the training split, row by row."""
        rows = (row for batch in self.batches("train") for row in zip(*(batch[column] for column in columns), strict=True))
        return (text for row in islice(rows, LEARNED_FROM) for text in row)


def write_prepared(
    folder: Path,
    divided: Divided,
    tokenizer: Tokenizer,
    encode: Encode,
    *,
    vectors: Vector | None = None,
    vary: Vary | None = None,
) -> dict[str, float]:
    """Write tokenizer.json, labels.txt, a Parquet file of texts for each split, and a folder of ids for each of SPLITS.

    Args:
        folder: created if needed.
        divided: the rows.
        tokenizer: of their texts.
        encode: converts a batch of rows to columns of ids.
        vectors: pretrained vectors by token id, [V, d]; written if given.
        vary: transforms each batch of training rows before it is written.

    Returns:
        the number of rows of each split and the size of the vocabulary.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder / TOKENIZER)
    (folder / LABELS).write_text("".join(f"{label}\n" for label in divided.labels), encoding="utf-8")
    if vectors is not None:
        np.save(folder / VECTORS, vectors)
    counts = {}
    for split in divided.places:
        batches = divided.batches(split)
        if vary and split == "train":
            batches = map(vary, batches)
        counts[f"{split}_rows"] = _write_split(folder, split, divided.table.columns, batches, encode)
    return {**counts, "vocabulary_size": tokenizer.size}


def _write_split(folder: Path, split: str, columns: Sequence[str], batches: Iterator[Texts], encode: Encode) -> int:
    """Write one split; the ids of additional test sets are not needed. Returns its number of rows."""
    rows, schema = 0, pa.schema([(name, pa.string()) for name in columns])
    with ExitStack() as files:
        texts = files.enter_context(pq.ParquetWriter(folder / f"{split}.parquet", schema))
        ids = files.enter_context(SplitWriter(folder / split)) if split in SPLITS else None
        for batch in batches:
            texts.write_table(pa.table(dict(batch), schema=schema))
            rows += len(batch[columns[0]])
            if ids:
                ids.append(encode(batch))
    return rows
