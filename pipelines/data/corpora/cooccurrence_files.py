"""Co-occurrence counts on disk: runs while counting, three memory-mapped columns when done."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import numpy as np
import numpy.typing as npt

from models.embeddings.cooccurrence import Cooccurrences, Entries, count_runs, merge_runs
from pipelines.store import GrowingArray


def write_cooccurrences(
    folder: Path,
    tokens: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    *,
    vocabulary_size: int,
    window: int,
    memory: int,
) -> int:
    """Count a corpus into `rows.npy`, `columns.npy` and `weights.npy`.

    Args:
        folder: created if needed; sorted runs are spilled into it and removed.
        tokens: word ids by descending frequency, [T].
        offsets: bounds of the sentences, [S + 1].
        vocabulary_size: V.
        window: largest distance counted.
        memory: limit in bytes, for counting and then for merging.

    Returns:
        The number of pairs.

    Raises:
        ValueError: the corpus, the window or the memory limit is invalid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as scratch:
        runs = count_runs(tokens, offsets, vocabulary_size=vocabulary_size, window=window, memory=memory)
        spilled = [_SpilledRun.write(Path(scratch) / str(number), entries) for number, entries in enumerate(runs)]
        with (
            GrowingArray(folder / "rows.npy", np.int32) as rows,
            GrowingArray(folder / "columns.npy", np.int32) as columns,
            GrowingArray(folder / "weights.npy", np.float32) as weights,
        ):
            for piece in merge_runs(spilled, memory=memory):
                rows.append(piece.rows)
                columns.append(piece.columns)
                weights.append(piece.weights)
            return rows.length


def read_cooccurrences(folder: Path) -> Cooccurrences:
    """The counts that `write_cooccurrences` wrote, memory-mapped."""
    return Cooccurrences(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("rows", "columns", "weights")))


@dataclass(frozen=True)
class _SpilledRun:
    """A run in a file: all keys, then all sums, 8 bytes each. It is read, not mapped: mapped pages count as used memory."""

    path: Path
    length: int

    @classmethod
    def write(cls, path: Path, entries: Entries) -> Self:
        keys, sums = entries
        with path.open("wb") as file:
            keys.tofile(file)
            sums.tofile(file)
        return cls(path, len(keys))

    def read(self, start: int, count: int) -> Entries:
        count = min(count, self.length - start)
        keys = np.fromfile(self.path, np.int64, count, offset=8 * start)
        return keys, np.fromfile(self.path, np.float64, count, offset=8 * (self.length + start))
