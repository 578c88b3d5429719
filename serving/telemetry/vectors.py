"""Texts as vectors, for measuring how far they are from other texts. The same text gives the same vector on every machine."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

NGRAM_SIZE: Final = 64  # dimensions: 32 of single characters, 32 of pairs
EDGE: Final = "\n"  # marks the ends of a text; no normalized text has one
CODE_BITS: Final = np.uint64(21)  # of a Unicode code point

FloatVector = NDArray[np.float32]


def ngram_vector(content: str) -> FloatVector:
    """The text's distribution of characters and of character pairs, each projected at random to 32 dimensions, [64].

    Each n-gram has 32 random signs, which are bits of a hash of its code points; a dimension is the mean sign of the text's
    n-grams (random projections with signs: Achlioptas 2003, doi 10.1016/S0022-0000(03)00025-4; signs from a hash: Charikar 2002,
    doi 10.1145/509907.509965). Trigrams would add more noise than signal: a text has few of each.
    """
    codes = np.frombuffer(f"{EDGE}{content}{EDGE}".encode("utf-32-le"), dtype="<u4").astype(np.uint64)
    bits = _bits(np.concatenate((codes, codes[:-1] | (codes[1:] << CODE_BITS))))
    return np.concatenate((_mean_sign(bits[: len(codes), :32]), _mean_sign(bits[len(codes) :, 32:])))


def mean_of_units(ids: Sequence[int], vectors: NDArray[np.int8]) -> FloatVector:
    """The mean vector of a text's words or subwords, [D]; zeros for a text without any.

    Args:
        ids: of the words or subwords.
        vectors: of all words or subwords, [V, D].
    """
    total: FloatVector = np.add.reduce(vectors[np.asarray(ids, dtype=np.intp)], 0, dtype=np.float32)
    return total / np.float32(max(len(ids), 1))


def _mean_sign(bits: NDArray[np.uint8]) -> FloatVector:
    """The mean of the columns, with -1 for 0; faster than numpy's `mean`."""
    ones: FloatVector = np.add.reduce(bits, 0, dtype=np.float32)
    return ones * np.float32(2 / len(bits)) - 1


def _bits(keys: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """64 bits of a hash of each key, [N, 64]: the finalizer of SplitMix64 (Steele et al. 2014, doi 10.1145/2714064.2660195)."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    keys ^= keys >> np.uint64(31)
    return np.unpackbits(keys.astype("<u8", copy=False).view(np.uint8)).reshape(-1, 64)
