"""The character n-grams of fastText: splitting words into n-grams, and composing word vectors from theirs.

Bojanowski et al. 2017, Enriching Word Vectors with Subword Information, arXiv 1607.04606, section 3.2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OFFSET, PRIME = 2166136261, 16777619  # of the 32-bit FNV-1a hash
SIGN = 0xFFFFFF00  # fastText hashes signed bytes: one of 128 or more has its sign extended to 32 bits


def ngram_ids(word: str, shortest: int, longest: int, buckets: int) -> NDArray[np.int32]:
    """The buckets of a word's n-grams, n = `shortest` to `longest` characters, between the boundary marks "<" and ">".

    The hash equals fastText's bit for bit: FNV-1a over the UTF-8 bytes. The order is by first character, then by n. The marks
    alone are not n-grams; the whole word with its marks is one if it is not longer than `longest`.

    Returns:
        [number of n-grams], 0 to buckets - 1.
    """
    characters = [character.encode() for character in f"<{word}>"]
    ids = []
    for start in range(len(characters)):
        value = OFFSET
        for end, character in enumerate(characters[start : start + longest], start=start + 1):
            for byte in character:
                value = (value ^ byte ^ (SIGN if byte >= 128 else 0)) * PRIME & 0xFFFFFFFF
            is_mark = end - start == 1 and (start == 0 or end == len(characters))
            if end - start >= shortest and not is_mark:
                ids.append(value % buckets)
    return np.array(ids, dtype=np.int32)


@dataclass(frozen=True)
class Subwords:
    """Vectors of hashed n-grams.

    Attributes:
        matrix: one vector per bucket, [buckets, d].
        shortest: smallest n.
        longest: largest n.
    """

    matrix: NDArray[np.float32]
    shortest: int
    longest: int

    def compose(self, word: str) -> NDArray[np.float32] | None:
        """The mean of the vectors of the word's n-grams, [d]; None for a word too short to have any."""
        ids = ngram_ids(word, self.shortest, self.longest, len(self.matrix))
        if not len(ids):
            return None
        mean: NDArray[np.float32] = self.matrix[ids].mean(axis=0)
        return mean
