"""Statistics of rows: their number, lengths and labels. Computed in one pass, in constant memory."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.data.reading.source import Row
from pipelines.data.splitting.sides import length
from pipelines.stage import StageError

SAMPLE = 5000  # rows, drawn uniformly
MOST_LABELS = 1000


@dataclass(frozen=True)
class Facts:
    """The statistics that a task's sizes are chosen from.

    Attributes:
        rows: number of rows.
        labels: label -> number of rows; empty if there are none.
        sample: some rows.
    """

    rows: int
    labels: Counter[str]
    sample: Sequence[Row]

    def characters(self, share: float) -> int:
        """The quantile of the rows' lengths in characters; for pairs, of the longer side."""
        return self._quantile([max(map(len, (row.text, row.source, row.target))) for row in self.sample], share)

    def words(self, share: float) -> int:
        """The quantile of the rows' lengths in words; for pairs, of the longer side."""
        return self._quantile([max(map(length, (row.text, row.source, row.target))) for row in self.sample], share)

    @staticmethod
    def _quantile(lengths: Sequence[int], share: float) -> int:
        return sorted(lengths)[min(int(share * len(lengths)), len(lengths) - 1)] if lengths else 0


def gather(rows: Iterable[Row]) -> Facts:
    """Read all rows.

    Raises:
        StageError: there are no rows, more than MOST_LABELS labels, or several labels in one row.
    """
    rng, sample, labels, count = random.Random(1), list[Row](), Counter[str](), 0  # noqa: S311 - not used for security
    for row in rows:
        count += 1
        labels[row.label] += 1
        if len(labels) > 50 * MOST_LABELS:
            break
        if len(sample) < SAMPLE:
            sample.append(row)
        elif (place := rng.randrange(count)) < SAMPLE:
            sample[place] = row
    if not count:
        raise StageError("there are no rows")
    del labels[""]
    _refuse_several(labels)
    if len(labels) > MOST_LABELS:
        raise StageError(
            f"more than {MOST_LABELS:,} labels, such as {', '.join(map(repr, list(labels)[:3]))}; is this the right column?"
        )
    return Facts(count, labels, sample)


def alike(labels: Iterable[str]) -> list[list[str]]:
    """Labels that differ only in case or white space."""
    found: dict[str, list[str]] = {}
    for label in labels:
        found.setdefault(" ".join(label.split()).casefold(), []).append(label)
    return [some for some in found.values() if len(some) > 1]


def _refuse_several(labels: Counter[str]) -> None:
    """Refuse rows with several labels: a list, or labels joined by a delimiter. Multi-label classification is not supported."""
    for label in labels:
        if label.startswith("[") and label.endswith("]"):
            raise StageError(f"{label!r} is several labels in one row; classifiers here assign one label to each text")
    for mark in ";|,":
        joined = [label for label in labels if mark in label]
        several = [label for label in joined if all(part.strip() in labels for part in label.split(mark))]
        if several:
            raise StageError(f"{several[0]!r} is several labels in one row; classifiers here assign one label to each text")
