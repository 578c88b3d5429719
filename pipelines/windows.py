"""Windows of memory-mapped series as rows of a split: overlapping windows share one copy of the series."""

import json
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Place = tuple[int, int]
ABOUT: Final = "windows.json"  # its presence says that a folder holds windows
STEPS, LINEAR, TARGETS = "steps", "linear", "targets"
DAYS: Final = "days"  # the text column; the training loop calls any column of variable length a text


def write_windows(
    folder: Path, length: int, places: Mapping[str, Place], arrays: Mapping[str, npt.NDArray[Any]], splits: Mapping[str, Ids]
) -> None:
    """Write series, and the index at which each window of each split ends.

    Args:
        folder: folder of the prepared data.
        length: L, the window length.
        places: series -> its index range in the arrays, end exclusive.
        arrays: `steps` [T, F], `linear` [T, K], `targets` [T, H] and any other values of each time, with all series
            concatenated.
        splits: name -> index of each window's last time in the arrays, [N].
    """
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    for name, ends in splits.items():
        np.save(folder / f"{name}.npy", ends)
    (folder / ABOUT).write_text(json.dumps({"length": length, "places": places}) + "\n", encoding="utf-8")


class Windows:
    """One split: row i is days [L, F], linear [K] and target [H]. See pipelines.store.Rows.

    Args:
        folder: folder that `write_windows` wrote.
        split: name of the split.
    """

    texts = (DAYS,)

    def __init__(self, folder: Path, split: str) -> None:
        self.length: int = json.loads((folder / ABOUT).read_text(encoding="utf-8"))["length"]
        self.steps, self.linear, self.targets = (mapped(folder, name) for name in (STEPS, LINEAR, TARGETS))
        self.ends: Ids = np.load(folder / f"{split}.npy", mmap_mode="r")

    def at(self, ends: Ids) -> Self:
        """The same series with windows that end at these indices, [N]."""
        other = copy(self)
        other.ends = ends
        return other

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.ends)

    def lengths(self, name: str) -> Ids:  # noqa: ARG002 - part of the Rows protocol
        """Length of every row, [N]: all windows have the same."""
        return np.full(len(self.ends), self.length, np.int64)

    def row(self, index: int) -> dict[str, Any]:
        """One row."""
        end = int(self.ends[index])
        days = np.array(self.steps[end + 1 - self.length : end + 1])  # a copy: the mapped array is read-only
        return {DAYS: days, "linear": np.array(self.linear[end]), "target": np.array(self.targets[end])}


def mapped(folder: Path, name: str) -> Floats:
    """An array of all times, memory-mapped."""
    values: Floats = np.load(folder / f"{name}.npy", mmap_mode="r")
    return values


def read_places(folder: Path) -> dict[str, Place]:
    """Series -> its index range in the arrays, end exclusive."""
    found = json.loads((folder / ABOUT).read_text(encoding="utf-8"))["places"]
    return {name: (first, behind) for name, (first, behind) in found.items()}
