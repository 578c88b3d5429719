"""Array types, and ragged lists of ids as rectangular batches."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.text.special import PAD

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]


def pad(sequences: Sequence[Sequence[int]]) -> tuple[IntArray, IntArray]:
    """Fill the shorter rows up to the longest one with PAD.

    Returns:
        ids [B, T], lengths [B].
    """
    lengths = np.array([len(s) for s in sequences], dtype=np.int64)
    ids = np.full((len(sequences), lengths.max(initial=0)), PAD, dtype=np.int64)
    for row, sequence in zip(ids, sequences, strict=True):
        row[: len(sequence)] = sequence
    return ids, lengths


def batches_by_length(sequences: Sequence[Sequence[object]], batch_size: int) -> Iterator[list[int]]:
    """Positions of the sequences, longest first, in groups of at most `batch_size`.

    Neighbours in length share a batch, so that little of it is padding; the longest come first, so that a batch that
    does not fit in memory fails at the start.
    """
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]), reverse=True)
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
