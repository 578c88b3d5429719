"""Word co-occurrence counts: X of GloVe (Pennington et al. 2014), counted in bounded memory.

Two words of a sentence within the window, at distance d (1: neighbours), add 1/d to X_ij and to X_ji. X is symmetric, so only its
lower triangle, columns <= rows, is counted and stored. Ids descend in frequency, so most pairs are of the first `head` words:
these are summed in a dense triangle. The others are collected as events. When their buffer is full, they are sorted, summed and
yielded as a run. At the end the runs, wherever the caller stored them, are merged as a stream.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.cpu.compiled import compiled

Ids = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
Keys = npt.NDArray[np.int64]
Sums = npt.NDArray[np.float64]
Entries = tuple[Keys, Sums]  # distinct keys in ascending order, and the sum of each

# An event is row, column and distance in one integer, so that sorting integers sorts by all three; a key is row and column.
WORD_BITS, DISTANCE_BITS = 28, 7
MAX_VOCABULARY, MAX_WINDOW = 1 << WORD_BITS, (1 << DISTANCE_BITS) - 1
BYTES_PER_CELL, BYTES_PER_EVENT = 8, 16  # a sum; an event and its sum
BYTES_PER_MERGED = 80  # keys, sums, their order, sorted copies and the columns made of them


@dataclass(frozen=True)
class Cooccurrences:
    """The entries of X that are not zero, each pair once, sorted by row, then column. The arrays may be memory-mapped.

    Args:
        rows: i, [N].
        columns: j <= i, [N].
        weights: X_ij = X_ji, [N].
    """

    rows: Ids
    columns: Ids
    weights: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)


class Run(Protocol):
    """Entries in ascending order of their keys, in any storage."""

    def read(self, start: int, count: int) -> Entries:
        """Copies of the entries from `start` on: `count` of them, or fewer at the end."""


def count_runs(tokens: Ids, offsets: Offsets, *, vocabulary_size: int, window: int, memory: int) -> Iterator[Entries]:
    """Count a corpus, run by run.

    Args:
        tokens: word ids by descending frequency, [T].
        offsets: where sentences begin, and the end of the last, [S + 1].
        vocabulary_size: V; each id is below it.
        window: largest distance counted.
        memory: maximum number of bytes to use.

    Yields:
        Entries in buffers that the next run overwrites. A key can be in several runs; their sums add up.

    Raises:
        ValueError: for a vocabulary, window or memory out of range, or a token that is not a word id.
    """
    if not (0 < vocabulary_size <= MAX_VOCABULARY and 0 < window <= MAX_WINDOW):
        raise ValueError(f"the vocabulary must have 1 to {MAX_VOCABULARY:,} words, and the window must be 1 to {MAX_WINDOW}")
    head, capacity = _shares(memory, vocabulary_size)
    if capacity < window:
        raise ValueError(f"{memory:,} bytes are too few to count with a window of {window}")
    triangle = np.zeros(head * (head + 1) // 2)
    events, sums = np.empty(capacity, np.int64), np.empty(capacity)
    sentence, position, filled = 0, int(offsets[0]), 0
    while sentence < len(offsets) - 1:
        place = (sentence, position)
        sentence, position, filled = _collect(tokens, offsets, *place, vocabulary_size, window, triangle, head, events)
        events[:filled].sort()
        distinct = _sum_events(events[:filled], sums)
        yield events[:distinct], sums[:distinct]
    filled = _read_triangle(triangle, head, events, sums)
    yield events[:filled], sums[:filled]


def _shares(memory: int, vocabulary_size: int) -> tuple[int, int]:
    """Number of words in the dense triangle, at most a quarter of the memory, and number of events that fit in the rest."""
    cells = memory // 4 // BYTES_PER_CELL
    head = min(vocabulary_size, (isqrt(8 * cells + 1) - 1) // 2)  # the largest with head (head + 1) / 2 <= cells
    return head, (memory - head * (head + 1) // 2 * BYTES_PER_CELL) // BYTES_PER_EVENT


@compiled
def _collect(
    tokens: Ids,
    offsets: Offsets,
    sentence: int,
    position: int,
    vocabulary_size: int,
    window: int,
    triangle: Sums,
    head: int,
    events: Keys,
) -> tuple[int, int, int]:
    """Count from a position until the corpus ends or the events might not fit: (sentence, position, number of events)."""
    filled = 0
    while sentence < len(offsets) - 1:
        begin, end = offsets[sentence], offsets[sentence + 1]
        while position < end:
            if filled > len(events) - window:
                return sentence, position, filled
            word = np.int64(tokens[position])
            if word < 0 or word >= vocabulary_size:
                raise ValueError("a token of the corpus is not a word id")
            for distance in range(1, min(window, position - begin) + 1):
                other = np.int64(tokens[position - distance])
                row, column = max(word, other), min(word, other)
                if row < head:
                    triangle[row * (row + 1) // 2 + column] += 1 / distance
                else:
                    events[filled] = (row << WORD_BITS | column) << DISTANCE_BITS | distance
                    filled += 1
            position += 1
        sentence += 1
    return sentence, position, filled


@compiled
def _sum_events(events: Keys, sums: Sums) -> int:
    """Turn sorted events into keys, in place, with the sum of each; return their number."""
    distinct, last = 0, np.int64(-1)
    for event in events:
        key, weight = event >> DISTANCE_BITS, 1 / (event & MAX_WINDOW)
        if key == last:
            sums[distinct - 1] += weight
        else:
            events[distinct], sums[distinct], last = key, weight, key
            distinct += 1
    return distinct


@compiled
def _read_triangle(triangle: Sums, head: int, keys: Keys, sums: Sums) -> int:
    """Write the cells that are not zero as entries; return their number, which the buffers hold (see `_shares`)."""
    filled, cell = 0, 0
    for row in range(head):
        for column in range(row + 1):
            if triangle[cell] > 0:
                keys[filled], sums[filled] = np.int64(row) << WORD_BITS | column, triangle[cell]
                filled += 1
            cell += 1
    return filled


class _Cursor:
    """A buffer with the next entries of a run, up to `count` of them."""

    def __init__(self, run: Run, count: int) -> None:
        self._run, self._count, self._read = run, count, 0
        self._refill()

    def _refill(self) -> None:
        self.keys, self._sums = self._run.read(self._read, self._count)
        self._read += len(self.keys)

    def take(self, last: int) -> Entries:
        """The entries with keys up to `last`."""
        end = int(np.searchsorted(self.keys, last, side="right"))
        taken = self.keys[:end], self._sums[:end]
        self.keys, self._sums = self.keys[end:], self._sums[end:]
        if not len(self.keys):
            self._refill()
        return taken


def merge_runs(runs: Sequence[Run], *, memory: int) -> Iterator[Cooccurrences]:
    """Add up the runs of one corpus.

    Args:
        runs: those that `count_runs` yielded.
        memory: maximum number of bytes to use (one entry of each run, if that is more).

    Yields:
        X in order, piece by piece.
    """
    count = max(1, memory // (BYTES_PER_MERGED * max(1, len(runs))))
    cursors = [_Cursor(run, count) for run in runs]
    while cursors := [cursor for cursor in cursors if len(cursor.keys)]:
        last = min(int(cursor.keys[-1]) for cursor in cursors)  # all entries up to this key are in memory
        keys, sums = zip(*(cursor.take(last) for cursor in cursors), strict=True)
        yield _added(np.concatenate(keys), np.concatenate(sums))


def _added(keys: Keys, sums: Sums) -> Cooccurrences:
    """Entries of several runs as entries of X."""
    order = np.argsort(keys, kind="stable")  # a stable sort merges ranges that are already sorted
    keys = keys[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    keys, sums = keys[first], np.add.reduceat(sums[order], first)
    rows, columns = keys >> WORD_BITS, keys & (MAX_VOCABULARY - 1)
    sums[rows == columns] *= 2  # of two occurrences of one word, each is in the other's window
    return Cooccurrences(rows.astype(np.int32), columns.astype(np.int32), sums.astype(np.float32))
