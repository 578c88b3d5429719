"""Turns a data set into checked splits, for any kind of task."""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipelines.data.prepared import SPLITS
from pipelines.data.reading.source import Row, RowSource
from pipelines.data.splitting.near import without_near
from pipelines.data.splitting.splits import Rules, split_rows
from pipelines.data.splitting.table import Index, Places, Table, TableWriter
from pipelines.data.writing import Divided
from pipelines.kinds import parts
from pipelines.settings.tasks import TextTask
from pipelines.stage import StageError

SAMPLE = 20_000  # raw rows that a kind of task inspects before it cleans any


def prepare(task: TextTask, sources: Sequence[RowSource], raw: Path, folder: Path, seed: int) -> dict[str, float]:
    """Read, clean, split, check and write a task's data. Memory does not grow with the length of the texts.

    Args:
        task: its block.
        sources: of its data set.
        raw: the download stage's output for that data set.
        folder: replaced if it exists.
        seed: of all random choices.

    Returns:
        statistics: rows per split, dropped rows per reason, and the statistics of the kind of task.

    Raises:
        StageError: the data is invalid, or a split lacks rows or labels.
    """
    kind = parts.data(task)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with TemporaryDirectory(dir=folder.parent) as scratch:
        path = Path(scratch) / "rows.arrow"
        index, dropped = _fill(path, sources, raw, task)
        rules = Rules(
            task.prepare.valid_size, task.prepare.test_size, task.prepare.limit_per_label, task.prepare.train_rows, seed
        )
        splits = split_rows(index, sources, rules)
        divided = Divided(Table(path), splits.places, _labels(index))
        unlike = splits.own & np.array([source.unlike for source in sources])[index.sources]
        divided, near = without_near(divided, kind.KEYS[0], unlike)
        _check(index, divided)
        counted = kind.write(task, divided, folder)
    return {**counted, **splits.statistics, **dropped, **near, **_label_statistics(index, divided)}


def _fill(path: Path, sources: Sequence[RowSource], raw: Path, task: TextTask) -> tuple[Index, dict[str, float]]:
    """Write the cleaned rows to a table; return its index, and the number of dropped rows per reason."""
    kind, dropped = parts.data(task), Counter[str]()

    def read() -> Iterator[tuple[int, Row]]:
        return ((i, row) for i, source in enumerate(sources) for row in kind.rows(task, source, raw))

    clean = kind.cleaner(task, [row for _, row in islice(read(), SAMPLE)])
    with TableWriter(path, kind.COLUMNS, kind.KEYS) as table:
        for source, row in read():
            found = clean(row, sources[source])
            if isinstance(found, str):
                dropped[found] += 1
            else:
                table.append(found, source)
        index = table.index()
    if not len(index.rows):
        reasons = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in dropped.items())
        raise StageError(f"{task.data.set} has no usable row" + (f" ({reasons})" if reasons else ""))
    return index, {f"dropped_as_{reason}": count for reason, count in sorted(dropped.items())}


def _labels(index: Index) -> Sequence[str]:
    return index.label_names if index.label_names != ("",) else ()


def _check(index: Index, divided: Divided) -> None:
    """Check that every split has rows of every label and that no text is in two splits. Raises StageError."""
    rows = np.bincount(index.labels, minlength=len(index.label_names))
    for label in np.flatnonzero(rows < len(SPLITS)) if divided.labels else ():
        raise StageError(
            f"the label {index.label_names[label]!r} has {rows[label]} rows, and there are {len(SPLITS)} splits;"
            " give it more rows, or remove it"
        )
    seen = np.zeros(0, np.int64)
    for split, places in divided.places.items():
        if not len(places):
            distinct = len(np.unique(index.keys, axis=0))
            raise StageError(
                f"the {split} split is empty: of {len(index.rows):,} rows {distinct:,} are distinct; change the splits' sizes"
            )
        counts = np.bincount(index.labels[places], minlength=len(index.label_names))
        if divided.labels and split in SPLITS and not counts.all():
            few = [f"{index.label_names[i]!r} ({int((index.labels == i).sum())} rows)" for i in np.flatnonzero(counts == 0)]
            raise StageError(f"the {split} split has no row of the label {', '.join(few)}; give it more rows, or remove it")
        keys = np.unique(index.keys[places])
        if split in SPLITS:
            if shared := np.intersect1d(keys, seen).size:
                raise StageError(f"{shared:,} texts of the {split} split are also in another split")
            seen = np.union1d(seen, keys)


def _label_statistics(index: Index, divided: Divided) -> dict[str, float]:
    """Number and balance of labels, and the accuracy ceiling: a model can predict only one label of an ambiguous text."""
    if not divided.labels:
        return {}
    used: Places = np.unique(np.concatenate(list(divided.places.values())))
    _, counts = np.unique(index.keys[used, 0], return_counts=True)
    per_label = np.bincount(index.labels[used], minlength=len(index.label_names))
    return {
        "labels": len(per_label),
        "distinct_texts": len(counts),
        "ambiguous_texts": int((counts > 1).sum()),
        "accuracy_ceiling": len(counts) / len(used),
        "smallest_label_rows": int(per_label.min()),
        "largest_label_rows": int(per_label.max()),
    }
