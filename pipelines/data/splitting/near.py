"""Removes near-duplicates: held-out texts that differ only in some words from a text of another split."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.text.words import words_of
from pipelines.data.splitting.overlap import Overlap
from pipelines.data.writing import Divided


def without_near(divided: Divided, column: str, unlike: NDArray[np.bool_]) -> tuple[Divided, dict[str, float]]:
    """Drop held-out rows that resemble a row of the training split or, in the test split, of the validation split.

    Only the held-out texts are in memory.

    Args:
        divided: the rows.
        column: of the texts to compare.
        unlike: whether a row may be dropped, [N].

    Returns:
        the remaining rows; the number of rows that each split lost.
    """
    places, lost = dict(divided.places), dict[str, float]()
    for split, others in (("test", ("train", "valid")), ("valid", ("train",))):
        droppable = unlike[places[split]]
        if not droppable.any():
            continue
        held_out = Overlap(_texts(divided, split, column))
        near = np.zeros(len(places[split]), np.bool_)
        for other in others:
            for words in _texts(divided, other, column):
                near[held_out.like(words)] = True
        near &= droppable
        places[split] = places[split][~near]
        lost[f"dropped_as_near_from_{split}"] = int(near.sum())
    return replace(divided, places=places), lost


def _texts(divided: Divided, split: str, column: str) -> Iterator[list[str]]:
    return (words_of(text) for batch in divided.batches(split) for text in batch[column])
