"""Bags: the input vectors whose mean represents a word in fastText, its own and those of its n-grams."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.text.subword_ngrams import ngram_ids


class Bags(NamedTuple):
    """The bags of V words. Word w has the entries `starts[w]` to `starts[w + 1]`, itself first.

    Attributes:
        starts: int64 [V + 1].
        rows: row numbers in the matrix of input vectors, int32: 0 to V - 1 for words, from V on for buckets of n-grams.
    """

    starts: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]

    @property
    def longest(self) -> int:
        """Entries of the largest bag."""
        return int(np.diff(self.starts).max())


def subword_bags(words: Sequence[str], shortest: int, longest: int, buckets: int) -> Bags:
    """Each word with its n-grams.

    Args:
        words: the vocabulary, V.
        shortest: smallest n.
        longest: largest n.
        buckets: number of buckets that n-grams are hashed to.
    """
    ngrams = [ngram_ids(word, shortest, longest, buckets) for word in words]
    starts = np.cumsum([0, *(1 + len(ids) for ids in ngrams)], dtype=np.int64)
    rows = np.empty(starts[-1], dtype=np.int32)
    for word, ids in enumerate(ngrams):
        rows[starts[word]] = word
        rows[starts[word] + 1 : starts[word + 1]] = len(words) + ids
    return Bags(starts, rows)


def mean_vectors(vectors: npt.NDArray[np.float32], bags: Bags) -> npt.NDArray[np.float32]:
    """The mean of each bag.

    Args:
        vectors: [V + buckets, d].
        bags: of V words.

    Returns:
        [V, d].
    """
    means = np.empty((len(bags.starts) - 1, vectors.shape[1]), dtype=np.float32)
    for word, (start, end) in enumerate(zip(bags.starts[:-1], bags.starts[1:], strict=True)):
        vectors[bags.rows[start:end]].mean(axis=0, out=means[word])
    return means
