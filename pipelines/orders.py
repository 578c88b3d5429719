"""Orders as rows of a split, each with a window of recent market days. Days shared by several orders are stored once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.series.relative import relative
from pipelines.windows import Ids, Place

Array = npt.NDArray[Any]
ABOUT: Final = "orders.json"  # its presence says that a folder holds orders
NUMBERS, CALENDAR, AHEAD = "numbers", "calendar", "ahead"
EFFECTS: Final = "effects"  # of the calendar on volumes, estimated on the training days, [C]
ENDS, DATED = "end", "dated"
COLUMNS: Final = ("horizon", "aversion", "schedule", "volumes")  # of an order, as the training loop expects them
DAYS: Final = "days"  # the text column; the training loop calls any column of variable length a text


def write_orders(
    folder: Path,
    length: int,
    places: Mapping[str, Place],
    days: Mapping[str, Array],
    splits: Mapping[str, Mapping[str, Array]],
) -> None:
    """Write markets and the orders of each split.

    Args:
        folder: folder of the prepared data.
        length: L, the window length.
        places: market -> its index range in the arrays of days, end exclusive.
        days: `numbers` [T, F], `calendar` [T, C], `ahead` [T, A, C] and any other values of each day, with all markets
            concatenated.
        splits: name -> columns of its orders: `end` (index of the window's last day), `dated`, COLUMNS and any others,
            [N] or [N, A].
    """
    for name, values in days.items():
        np.save(folder / f"{name}.npy", values)
    for split, columns in splits.items():
        (folder / split).mkdir()
        for name, values in columns.items():
            np.save(folder / split / f"{name}.npy", values)
    (folder / ABOUT).write_text(json.dumps({"length": length, "places": places}) + "\n", encoding="utf-8")


class Orders:
    """One split: row i is days [L, F + C], ahead [A, C], and COLUMNS. See pipelines.store.Rows.

    Args:
        folder: folder that `write_orders` wrote.
        split: name of the split.

    Attributes:
        length: L, the window length.
        places: market -> its index range in the arrays of days, end exclusive.
        columns: columns of the orders, see `write_orders`.
    """

    texts = (DAYS,)

    def __init__(self, folder: Path, split: str) -> None:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self.length: int = about["length"]
        self.places: dict[str, Place] = {name: (first, behind) for name, (first, behind) in about["places"].items()}
        self._numbers, self._calendar, self._ahead = (_mapped(folder, name) for name in (NUMBERS, CALENDAR, AHEAD))
        self.columns = {path.stem: _mapped(folder / split, path.stem) for path in sorted((folder / split).glob("*.npy"))}

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.columns[ENDS])

    def lengths(self, name: str) -> Ids:  # noqa: ARG002 - part of the Rows protocol
        """Length of every row, [N]: all windows have the same."""
        return np.full(len(self), self.length, np.int64)

    def numbers(self, index: int) -> Array:
        """The days of one row without their calendar, [L, F]."""
        end = int(self.columns[ENDS][index])
        return relative(np.asarray(self._numbers[end + 1 - self.length : end + 1]))

    def row(self, index: int) -> dict[str, Any]:
        """One row."""
        end, dated = int(self.columns[ENDS][index]), bool(self.columns[DATED][index])
        known = np.asarray(self._calendar[end + 1 - self.length : end + 1], np.float32) * dated
        row = {DAYS: np.concatenate([self.numbers(index), known], axis=1), AHEAD: self._ahead[end].astype(np.float32) * dated}
        return row | {name: np.array(self.columns[name][index]) for name in COLUMNS}


def _mapped(folder: Path, name: str) -> Array:
    return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))  # plain arrays: slicing np.memmap row by row is slow
