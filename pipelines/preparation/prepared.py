"""What preparing makes, whatever the task: texts, ids, a tokenizer, statistics."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.text.vectors import VECTORS, Vector
from pipelines.store import Alternating, Column, Rows, Split, write_split

SPLITS = ("train", "valid", "test")


class Tokenizer(Protocol):
    """What characters, subwords and words have in common."""

    @property
    def size(self) -> int:
        """Number of ids."""

    def encode(self, text: str) -> list[int]:
        """Text to ids."""

    def save(self, path: Path) -> None:
        """Write as JSON."""


@dataclass(frozen=True)
class Prepared:
    """A task's data, ready to be written.

    Args:
        texts: split -> column -> one string a row, for evaluation, baselines and people. Splits beside SPLITS are further test
            sets.
        arrays: split of SPLITS -> column -> ids, for training. Further ones are the training split's rows in other forms.
        tokenizer: maps one to the other.
        labels: class names in id order; empty where there are none.
        vectors: pretrained, of each id of the tokenizer, the special tokens' zero, [V, d]; None where there are none.
        statistics: what goes into the metrics file beside the counts of `summary`.
    """

    texts: Mapping[str, Mapping[str, list[str]]]
    arrays: Mapping[str, Mapping[str, Column]]
    tokenizer: Tokenizer
    labels: list[str] = field(default_factory=list)
    vectors: Vector | None = None
    statistics: Mapping[str, float] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write tokenizer.json, labels.txt, vectors.npy where there are such, and a Parquet file and a folder for each split."""
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(folder / "tokenizer.json")
        (folder / "labels.txt").write_text("".join(f"{label}\n" for label in self.labels), encoding="utf-8")
        if self.vectors is not None:
            np.save(folder / VECTORS, self.vectors)
        for split, arrays in self.arrays.items():
            write_split(folder / split, arrays)
        for split, columns in self.texts.items():
            pq.write_table(pa.table(dict(columns)), folder / f"{split}.parquet")

    def summary(self) -> dict[str, float]:
        """Rows of each split, size of the vocabulary, and the statistics."""
        rows = {f"{split}_rows": len(next(iter(self.texts[split].values()))) for split in self.texts}
        return {**rows, "vocabulary_size": self.tokenizer.size, **self.statistics}


def read_texts(folder: Path, split: str, limit: int = 0) -> dict[str, list[str]]:
    """The text columns of a split; the first `limit` rows only, if that is not 0."""
    table = pq.read_table(folder / f"{split}.parquet")
    return {name: [str(v) for v in values] for name, values in table.slice(0, limit or None).to_pydict().items()}


def train_rows(folder: Path) -> Rows:
    """The training split, in all its forms where there are several."""
    forms = [Split(folder / "train"), *(Split(path) for path in sorted(folder.glob("train-*/")))]
    return Alternating(forms) if len(forms) > 1 else forms[0]


def further_tests(folder: Path) -> list[str]:
    """The names of the test sets beside the test split; most data sets have none."""
    return sorted(path.stem for path in folder.glob("*.parquet") if path.stem not in SPLITS)


def read_vectors(folder: Path) -> Vector:
    """The pretrained vectors by the tokenizer's id, memory-mapped, [V, d]."""
    return np.asarray(np.load(folder / VECTORS, mmap_mode="r"))


def read_labels(folder: Path) -> list[str]:
    """The class names in id order."""
    return (folder / "labels.txt").read_text(encoding="utf-8").splitlines()
