"""Rows on disk, with an index in memory for splitting: about 40 bytes per row, however long its texts are."""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.text.normalize import normalize
from models.text.words import words_of
from pipelines.data.reading.source import Row
from pipelines.stage import StageError

Hashes = NDArray[np.int64]
Places = NDArray[np.int64]
Texts = Mapping[str, list[str]]
BATCH = 10_000  # rows in memory at a time


@dataclass(frozen=True)
class Index:
    """The data of N rows that splitting needs.

    Attributes:
        rows: a hash of the row's content, [N].
        keys: hashes of the K texts that identify duplicates, ignoring case and punctuation, [N, K].
        groups: a hash of the group, 0 if there is none, [N].
        labels: positions in `label_names`, [N].
        label_names: in alphabetical order.
        splits: positions in `split_names`, [N].
        split_names: the splits that the data set defines, "" for none.
        times: to sort by, [N]; empty if rows have none.
        sources: the index of the row's source in the data set, [N].
    """

    rows: Hashes
    keys: Hashes
    groups: Hashes
    labels: NDArray[np.int32]
    label_names: tuple[str, ...]
    splits: NDArray[np.int32]
    split_names: tuple[str, ...]
    times: NDArray[np.float64]
    sources: NDArray[np.int32]


class TableWriter:
    """Writes rows to an Arrow file.

    Args:
        path: the file, replaced if it exists.
        columns: to keep.
        keys: the columns that identify duplicates.
    """

    def __init__(self, path: Path, columns: Sequence[str], keys: Sequence[str]) -> None:
        self._columns, self._keys = columns, keys
        self._file = pa.OSFile(str(path), "wb")
        self._schema = pa.schema([(column, pa.string()) for column in columns])
        self._writer = pa.ipc.new_file(self._file, self._schema)
        self._batch: list[Row] = []
        self._rows, self._found, self._groups = array("q"), array("q"), array("q")
        self._labels, self._splits = _Numbers(), _Numbers()
        self._times, self._sources = array("d"), array("i")

    def append(self, row: Row, source: int) -> None:
        """Add a row.

        Raises:
            StageError: its time is neither a number nor a date.
        """
        texts = [getattr(row, column) for column in self._columns]
        self._rows.append(_hash("\0".join([*texts, row.label, row.split])))
        self._found.extend(_hash(key_of(getattr(row, column))) for column in self._keys)
        self._groups.append(_hash(row.group) if row.group else 0)
        self._labels.append(row.label)
        self._splits.append(row.split)
        if row.time:
            self._times.append(_time(row.time))
        self._sources.append(source)
        self._batch.append(row)
        if len(self._batch) == BATCH:
            self._flush()

    def _flush(self) -> None:
        columns = [pa.array([getattr(row, column) for row in self._batch], pa.string()) for column in self._columns]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))
        self._batch.clear()

    def index(self) -> Index:
        """The index of the rows.

        Raises:
            StageError: only some of the rows have a time.
        """
        if self._times and len(self._times) < len(self._sources):
            raise StageError(f"{len(self._sources) - len(self._times):,} of {len(self._sources):,} rows have no time to split by")
        label_names, labels = self._labels.sorted()
        split_names, splits = self._splits.sorted()
        return Index(
            rows=np.frombuffer(self._rows, np.int64),
            keys=np.frombuffer(self._found, np.int64).reshape(-1, len(self._keys)),
            groups=np.frombuffer(self._groups, np.int64),
            labels=labels,
            label_names=label_names,
            splits=splits,
            split_names=split_names,
            times=np.frombuffer(self._times, np.float64),
            sources=np.frombuffer(self._sources, np.int32),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._batch:
            self._flush()
        self._writer.close()
        self._file.close()


class Table:
    """The rows that `TableWriter` wrote, memory-mapped.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = pa.ipc.open_file(pa.memory_map(str(path)))
        self.columns: list[str] = self._reader.schema.names

    def __reduce__(self) -> tuple[type["Table"], tuple[Path]]:
        return Table, (self._path,)  # another process maps the file itself

    def batches(self, places: Places) -> Iterator[Texts]:
        """The rows at these positions, in this order: column -> texts, BATCH rows at a time."""
        for start in range(0, len(places), BATCH):
            yield self._take(places[start : start + BATCH])

    def _take(self, places: Places) -> dict[str, list[str]]:
        """Rows in any order; each part of the file is read at most once."""
        parts = places // BATCH
        order = np.argsort(parts, kind="stable")
        taken: dict[str, list[str]] = {name: [""] * len(places) for name in self.columns}
        for part in np.unique(parts):
            here = order[parts[order] == part]
            rows = self._reader.get_batch(int(part)).take(pa.array(places[here] - part * BATCH))
            for name in self.columns:
                for place, text in zip(here.tolist(), rows.column(name).to_pylist(), strict=True):
                    taken[name][place] = text
        return taken


class _Numbers:
    """Numbers names in order of appearance, then renumbers them alphabetically."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._found = array("i")

    def append(self, name: str) -> None:
        self._found.append(self._ids.setdefault(name, len(self._ids)))

    def sorted(self) -> tuple[tuple[str, ...], NDArray[np.int32]]:
        names = sorted(self._ids)
        places = np.zeros(len(names), np.int32)
        places[[self._ids[name] for name in names]] = np.arange(len(names))
        return tuple(names), places[np.frombuffer(self._found, np.int32)] if names else np.zeros(0, np.int32)


def key_of(text: str) -> str:
    """The key that duplicate texts share: their words without case and punctuation; the whole text if it has no words."""
    return " ".join(words_of(text)) or normalize(text).casefold()


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except ValueError as error:
        raise StageError(f"{text!r} in the time column is neither a number nor an ISO 8601 date like 2026-01-31") from error
