"""Subsampling of frequent words, and sampling of noise words."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
FULL = 2**32  # random numbers of 32 bits are below it
POWER = 0.75


class AliasTable(NamedTuple):
    """Draws from any distribution with one random number (Walker 1977, doi 10.1145/355744.355749).

    Each of V columns is equally likely; column i gives word i with probability thresholds[i] / 2^32, and otherwise aliases[i].

    Attributes:
        thresholds: [V].
        aliases: [V].
    """

    thresholds: npt.NDArray[np.uint32]
    aliases: npt.NDArray[np.int32]


def keep_thresholds(counts: Counts, sample: float) -> npt.NDArray[np.uint32]:
    """Thresholds of 32-bit random numbers: an occurrence of a word is kept if the number does not exceed the word's, [V].

        P(keep) = (sqrt(f / sample) + 1) * sample / f       f = count / sum of counts

    as in word2vec.c (equation (5) of the paper differs). The more frequent a word, the more of its occurrences are skipped.

    Args:
        counts: [V], above 0.
        sample: approximate relative frequency above which words are skipped; 0 keeps all.
    """
    ratio = sample * counts.sum() / counts
    keep = np.sqrt(ratio) + ratio if sample else np.ones(len(counts))
    return (np.minimum(keep, 1) * (FULL - 1)).astype(np.uint32)


def noise_distribution(counts: Counts) -> npt.NDArray[np.float64]:
    """P(w) = count(w)^(3/4) / sum (Mikolov et al. 2013, arXiv 1310.4546, section 2.2): [V]."""
    powers = counts.astype(np.float64) ** POWER
    distribution: npt.NDArray[np.float64] = powers / powers.sum()
    return distribution


def alias_table(distribution: npt.NDArray[np.float64]) -> AliasTable:
    """Build the table: columns with too little are filled up from words with too much (Vose 1991, doi 10.1109/32.92917).

    Args:
        distribution: [V], of sum 1.
    """
    share = (distribution * len(distribution)).tolist()
    aliases = list(range(len(share)))
    little, much = [i for i, p in enumerate(share) if p < 1], [i for i, p in enumerate(share) if p >= 1]
    while little and much:
        low, high = little.pop(), much[-1]
        aliases[low] = high
        share[high] -= 1 - share[low]
        if share[high] < 1:
            little.append(much.pop())
    thresholds = np.minimum(np.rint(np.asarray(share) * FULL), FULL - 1)  # a full column is its own alias as well
    return AliasTable(thresholds.astype(np.uint32), np.asarray(aliases, dtype=np.int32))
