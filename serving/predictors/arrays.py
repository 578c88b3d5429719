"""Array types, and padding of ragged lists of ids to rectangular batches."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.text.special import PAD

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]


def pad(sequences: Sequence[Sequence[int]]) -> tuple[IntArray, IntArray]:
    """Pad rows to the length of the longest with PAD.

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

    Sequences of similar length share a batch, which limits padding. The longest come first, so that a batch that does not fit
    in memory fails at the start.
    """
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]), reverse=True)
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
