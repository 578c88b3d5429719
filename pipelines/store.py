"""Prepared splits as memory-mapped arrays: what is not read is not loaded, however large the corpus."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

Ids = npt.NDArray[np.int64]
Column = Sequence[int] | Sequence[Sequence[int]]


def write_split(folder: Path, columns: Mapping[str, Column]) -> None:
    """Write one split.

    Args:
        folder: made if needed.
        columns: name -> one id a row (a label), or one sequence of ids a row (a text).
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in columns.items():
        if rows and isinstance(rows[0], int):
            np.save(folder / f"{name}.npy", np.asarray(rows, dtype=np.int32))
        else:
            texts = [row for row in rows if isinstance(row, Sequence)]
            np.save(folder / f"{name}.offsets.npy", np.cumsum([0, *map(len, texts)], dtype=np.int64))
            np.save(folder / f"{name}.npy", np.fromiter((i for row in texts for i in row), dtype=np.int32))


class Rows(Protocol):
    """What the training loop needs of its data: rows of one or more text columns, and of label columns."""

    @property
    def texts(self) -> Sequence[str]:
        """Names of the text columns."""

    def __len__(self) -> int:
        """Number of rows."""

    def lengths(self, name: str, /) -> Ids:
        """Length of every row of a text column, [N]."""

    def row(self, index: int, /) -> dict[str, Ids]:
        """One row: column name -> ids, [length] for a text and [] for a label."""


class Split:
    """One split of a prepared data set.

    Args:
        folder: what `write_split` wrote.
    """

    def __init__(self, folder: Path) -> None:
        self._offsets = {p.name.removesuffix(".offsets.npy"): np.load(p) for p in sorted(folder.glob("*.offsets.npy"))}
        names = sorted(p.stem for p in folder.glob("*.npy") if not p.name.endswith(".offsets.npy"))
        self._values = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}

    def __len__(self) -> int:
        """Number of rows."""
        name, values = next(iter(self._values.items()))
        return len(self._offsets[name]) - 1 if name in self._offsets else len(values)

    def lengths(self, name: str) -> Ids:
        """Length of every row of a text column, [N]."""
        lengths: Ids = np.diff(self._offsets[name])
        return lengths

    @property
    def texts(self) -> list[str]:
        """Names of the text columns."""
        return list(self._offsets)

    def row(self, index: int) -> dict[str, Ids]:
        """One row: column name -> ids, [length] for a text and [] for a label."""
        row = {}
        for name, values in self._values.items():
            if name in self._offsets:
                start, end = self._offsets[name][index : index + 2]
                row[name] = np.asarray(values[start:end], dtype=np.int64)
            else:
                row[name] = np.asarray(values[index], dtype=np.int64)
        return row


class Alternating:
    """Rows of which there are several forms: each epoch has the next one.

    Args:
        forms: of the same rows in the same order. The first one's lengths decide how rows are put together to batches.
    """

    def __init__(self, forms: Sequence[Rows]) -> None:
        self._forms, self._epoch = forms, 0

    def set_epoch(self, epoch: int) -> None:
        """To be called before each epoch."""
        self._epoch = epoch

    @property
    def texts(self) -> Sequence[str]:
        """Names of the text columns."""
        return self._forms[0].texts

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._forms[0])

    def lengths(self, name: str) -> Ids:
        """Length of every row of a text column in the first form, [N]."""
        return self._forms[0].lengths(name)

    def row(self, index: int) -> dict[str, Ids]:
        """One row in the form of this epoch."""
        return self._forms[self._epoch % len(self._forms)].row(index)


class GrowingArray:
    """A .npy file whose length is known at the end: numpy leaves room in the header for the length to grow.

    Args:
        path: the file, replaced if there is one.
        dtype: of its numbers.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike) -> None:
        self._dtype, self.length = np.dtype(dtype), 0
        self._file = path.open("wb")
        self._write_header()

    def _write_header(self) -> None:
        header = {"descr": npy.dtype_to_descr(self._dtype), "fortran_order": False, "shape": (self.length,)}
        npy.write_array_header_1_0(self._file, header)

    def append(self, values: npt.NDArray[Any]) -> None:
        """Add numbers of the array's type at its end. Raises TypeError for another type."""
        if values.dtype != self._dtype:
            raise TypeError(f"{values.dtype} numbers do not belong into an array of {self._dtype}")
        values.tofile(self._file)
        self.length += len(values)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._file:
            self._file.seek(0)
            self._write_header()
