"""Statistics of ids, collected while they are written."""

from collections.abc import Sequence

from models.text.special import UNK


class UnitCounts:
    """The lengths of rows and the number of unknown units in them."""

    def __init__(self) -> None:
        self._units, self._unknown, self._rows, self._longest = 0, 0, 0, 0

    def add(self, rows: Sequence[Sequence[int]]) -> None:
        """Count the ids of more rows."""
        self._rows += len(rows)
        for ids in rows:
            self._units += len(ids)
            self._unknown += ids.count(UNK)
            self._longest = max(self._longest, len(ids))

    @property
    def statistics(self) -> dict[str, float]:
        """The statistics of all rows so far."""
        return {
            "out_of_vocabulary": self._unknown / self._units,
            "mean_length": self._units / self._rows,
            "longest": self._longest,
        }
