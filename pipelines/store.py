"""Prepared splits as memory-mapped arrays: memory does not grow with the corpus."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from models.mapped import release

Ids = npt.NDArray[np.int64]
OFFSETS = ".offsets"  # suffix of the array with the offsets at which rows of a text column begin
RELEASE = 500  # rows after which mapped pages are released: each row may have loaded up to sixteen pages
Column = Sequence[int] | Sequence[Sequence[int]]


def write_split(folder: Path, columns: Mapping[str, Column]) -> None:
    """Write one split that fits in memory; see `SplitWriter`."""
    with SplitWriter(folder) as split:
        split.append(columns)


class Rows(Protocol):
    """Interface of the training loop's data: rows of one or more text columns, and of label columns."""

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
        folder: folder that `write_split` wrote.
    """

    def __init__(self, folder: Path) -> None:
        mapped = {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}
        self._offsets = {name.removesuffix(OFFSETS): values for name, values in mapped.items() if name.endswith(OFFSETS)}
        self._values = {name: values for name, values in mapped.items() if not name.endswith(OFFSETS)}
        self._read = 0  # rows read so far

    def __len__(self) -> int:
        """Number of rows."""
        name, values = next(iter(self._values.items()))
        return len(self._offsets[name]) - 1 if name in self._offsets else len(values)

    def lengths(self, name: str) -> Ids:
        """Length of every row of a text column, [N]."""
        lengths: Ids = np.diff(self._offsets[name])
        release(self._offsets.values())
        return lengths

    @property
    def texts(self) -> list[str]:
        """Names of the text columns."""
        return list(self._offsets)

    def row(self, index: int) -> dict[str, Ids]:
        """One row: column name -> ids, [length] for a text and [] for a label."""
        self._read += 1
        if self._read % RELEASE == 0:
            release((*self._values.values(), *self._offsets.values()))
        row = {}
        for name, values in self._values.items():
            if name in self._offsets:
                start, end = self._offsets[name][index : index + 2]
                row[name] = np.asarray(values[start:end], dtype=np.int64)
            else:
                row[name] = np.asarray(values[index], dtype=np.int64)
        return row


class Alternating:
    """Rows in several forms: each epoch uses the next one.

    Args:
        forms: the same rows in the same order, in each form. The lengths in the first form determine the batches.
    """

    def __init__(self, forms: Sequence[Rows]) -> None:
        self._forms, self._epoch = forms, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the form of this epoch; call it before each epoch."""
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
    """A .npy file whose length is known only at the end: numpy leaves room in the header for the length to grow.

    Args:
        path: the file, replaced if it exists.
        dtype: type of its numbers.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike) -> None:
        self._dtype, self.length = np.dtype(dtype), 0
        self._file = path.open("wb")
        self._write_header()

    def _write_header(self) -> None:
        header = {"descr": npy.dtype_to_descr(self._dtype), "fortran_order": False, "shape": (self.length,)}
        npy.write_array_header_1_0(self._file, header)

    def append(self, values: npt.NDArray[Any]) -> None:
        """Append numbers of the array's type. Raises TypeError for another type."""
        if values.dtype != self._dtype:
            raise TypeError(f"cannot append {values.dtype} numbers to an array of {self._dtype}")
        values.tofile(self._file)
        self.length += len(values)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._file:
            self._file.seek(0)
            self._write_header()


class SplitWriter:
    """Writes one split, some rows at a time, in the form that `Split` reads.

    Args:
        folder: created if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._files = folder, ExitStack()
        self._arrays: dict[str, GrowingArray] = {}

    def append(self, columns: Mapping[str, Column]) -> None:
        """Add rows.

        Args:
            columns: name -> one id per row (a label), or one sequence of ids per row (a text).
        """
        for name, rows in columns.items():
            texts = [row for row in rows if not isinstance(row, int)]
            values = self._array(name, np.int32)
            if texts:
                offsets = self._array(f"{name}{OFFSETS}", np.int64)
                if not offsets.length:
                    offsets.append(np.zeros(1, np.int64))
                offsets.append(values.length + np.cumsum([len(row) for row in texts], dtype=np.int64))
                values.append(np.fromiter(chain.from_iterable(texts), np.int32))
            else:
                values.append(np.asarray(rows, np.int32))

    def _array(self, name: str, dtype: npt.DTypeLike) -> GrowingArray:
        if name not in self._arrays:
            self._arrays[name] = self._files.enter_context(GrowingArray(self._folder / f"{name}.npy", dtype))
        return self._arrays[name]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._files.close()
