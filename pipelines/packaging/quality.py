"""Quality of a model on its test data, with which a server compares what people say about its answers."""

import csv
from collections import Counter
from pathlib import Path

CONFUSION = "confusion.csv"  # written by `evaluate` for classifiers: the actual and the predicted class of each test row


def recalls(folder: Path) -> dict[str, float]:
    """The share of each class's test rows that the model recognized; empty if the folder has no confusion matrix.

    Args:
        folder: the task's tables and plots of `evaluate`.
    """
    path = folder / CONFUSION
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    actual = Counter(row["actual"] for row in rows)
    right = Counter(row["actual"] for row in rows if row["actual"] == row["predicted"])
    return {label: round(right[label] / count, 4) for label, count in sorted(actual.items())}
