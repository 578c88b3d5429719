"""Merges rows of feedback with earlier ones. Rows whose label has too few rows wait until there are more."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.text.normalize import normalize_label
from pipelines.data.prepared import SPLITS, read_labels, text_rows
from pipelines.data.reading import source
from pipelines.data.reading.formats import Csv
from pipelines.data.splitting.table import key_of
from pipelines.kinds.classification.data import cleaner
from pipelines.kinds.classification.settings import ClassificationTask
from pipelines.retraining.rows import COLUMNS, Row


@dataclass(frozen=True)
class Merged:
    """Old and new rows of feedback.

    Attributes:
        rows: to train on.
        waiting: those whose label has too few rows.
        new: number of `rows` that were not there before, or with another answer.
    """

    rows: list[Row]
    waiting: list[Row]
    new: int


def merge(
    kind: str, rows: Sequence[Row], waiting: Sequence[Row], said: Sequence[Row], few: Callable[[Collection[Row]], set[str]]
) -> Merged:
    """Merge rows by their input: a later answer replaces an earlier one.

    Args:
        kind: of task.
        rows: trained on before.
        waiting: the rows that waited.
        said: rows of new feedback.
        few: tells which right answers have too few rows.
    """
    given, right = COLUMNS[kind]
    everything = [*rows, *waiting, *said]
    rare = few({row[given]: row for row in everything}.values())
    kept, held = dict[str, Row](), dict[str, Row]()
    for row in everything:
        if row[right] in rare:
            held[row[given]] = row
        else:
            kept[row[given]] = row
            held.pop(row[given], None)
    before = {row[given]: row[right] for row in rows}
    new = sum(before.get(text) != row[right] for text, row in kept.items())
    return Merged([*kept.values()], [*held.values()], new)


def rare_labels(block: ClassificationTask, rows: Collection[Row], prepared: Path, *, by_time: bool) -> set[str]:
    """The labels that a training cannot learn yet: the data lacks them, and they have too few rows for all splits.

    A text that the data has with another label stays in that text's split, so it does not count.

    Args:
        block: the task's block.
        rows: all rows of feedback.
        prepared: the task's prepared data, which may be missing.
        by_time: rows are split by time. Then feedback is the latest, and its own labels would hardly reach the training split.
    """
    finished = (prepared / f"{SPLITS[-1]}.parquet").exists()  # it is written last
    texts = _texts(block, rows)
    for label in read_labels(prepared) if finished else ():
        texts.pop(label, None)
    if by_time or not texts:
        few = set(texts)
    else:
        old = (key_of(text) for split in SPLITS for text, *_ in text_rows(prepared, split)) if finished else ()
        taken = set[str]().union(*texts.values()).intersection(old)
        few = {label for label, found in texts.items() if len(found - taken) < len(SPLITS)}
    return {row["label"] for row in rows if normalize_label(row["label"]) in few}


def _texts(block: ClassificationTask, rows: Collection[Row]) -> dict[str, set[str]]:
    """The different texts of each label, without those that the preparation drops."""
    clean, origin = cleaner(block, []), Csv(format="csv", file="")
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        cleaned = clean(source.Row(text=row["text"], label=row["label"]), origin)
        texts = found[normalize_label(row["label"])]
        if not isinstance(cleaned, str):
            texts.add(key_of(cleaned.text))
    return found
