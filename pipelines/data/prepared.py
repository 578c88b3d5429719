"""Reads the output of stage `prepare` for any kind of task: texts, ids, a tokenizer, labels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq

from models.text.vectors import VECTORS, Vector
from pipelines import orders, windows
from pipelines.store import Alternating, Rows, Split

SPLITS: Final = ("train", "valid", "test")
TOKENIZER: Final = "tokenizer.json"
LABELS: Final = "labels.txt"
CASE: Final = "case.json"  # for kinds of task that restore letter case


def read_texts(folder: Path, split: str, limit: int = 0) -> dict[str, list[str]]:
    """The text columns of a split; only the first `limit` rows, or all if it is 0."""
    table = pq.read_table(folder / f"{split}.parquet")
    return {name: [str(v) for v in values] for name, values in table.slice(0, limit or None).to_pydict().items()}


def text_rows(folder: Path, split: str) -> Iterator[tuple[str, ...]]:
    """The rows of a split of any size, each with its text columns, in order."""
    file = pq.ParquetFile(folder / f"{split}.parquet")
    for group in range(file.num_row_groups):
        yield from zip(*file.read_row_group(group).to_pydict().values(), strict=True)


def rows_of(folder: Path, split: str) -> Rows:
    """The rows of a split, in all their forms if there are several."""
    if (folder / windows.ABOUT).exists():
        return windows.Windows(folder, split)
    if (folder / orders.ABOUT).exists():
        return orders.Orders(folder, split)
    forms = [Split(folder / split), *(Split(path) for path in sorted(folder.glob(f"{split}-*/")))]
    return Alternating(forms) if len(forms) > 1 else forms[0]


def further_tests(folder: Path) -> list[str]:
    """The names of additional test sets; most data sets have none."""
    return sorted(path.stem for path in folder.glob("*.parquet") if path.stem not in SPLITS)


def read_vectors(folder: Path) -> Vector:
    """The pretrained vectors, indexed by token id, memory-mapped, [V, d]."""
    return np.asarray(np.load(folder / VECTORS, mmap_mode="r"))


def read_labels(folder: Path) -> list[str]:
    """The class names in id order."""
    return (folder / LABELS).read_text(encoding="utf-8").splitlines()
