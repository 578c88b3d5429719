"""Reads a prepared corpus: as a whole, or sentence by sentence."""

from pathlib import Path

import numpy as np

from models.embeddings.hogwild import Corpus
from models.text.special import BOS, EOS, SPECIAL_TOKENS
from pipelines.store import Ids


def read_corpus(split: Path) -> Corpus:
    """A prepared split in the kernels' format, memory-mapped."""
    tokens, offsets = (np.load(split / name, mmap_mode="r") for name in ("words.npy", "words.offsets.npy"))
    return Corpus(tokens, offsets)


class SentenceRows:
    """Chosen sentences in one text column `words`: BOS, the words' ids (offset by the special tokens), EOS.

    Args:
        corpus: all sentences.
        chosen: indices of the sentences, [S].
        longest: maximum words of a sentence; the rest is cut off.
    """

    texts = ("words",)

    def __init__(self, corpus: Corpus, chosen: Ids, longest: int) -> None:
        self._tokens, self._starts = corpus.tokens, np.asarray(corpus.offsets[chosen])
        self._words = np.minimum(corpus.offsets[chosen + 1] - self._starts, longest)

    def __len__(self) -> int:
        """Number of sentences."""
        return len(self._starts)

    def lengths(self, _name: str) -> Ids:
        """Length of every row, including BOS and EOS, [S]."""
        lengths: Ids = self._words + 2
        return lengths

    def row(self, index: int) -> dict[str, Ids]:
        """One row, {"words": [length]}."""
        start, length = self._starts[index], self._words[index]
        words = self._tokens[start : start + length].astype(np.int64) + len(SPECIAL_TOKENS)
        return {"words": np.concatenate(([BOS], words, [EOS]))}


def spread(start: int, end: int, number: int) -> Ids:
    """`number` evenly spaced integers of [start, end); all of them if there are not more, or if `number` is 0."""
    if number == 0 or number >= end - start:
        return np.arange(start, end)
    return start + np.arange(number) * (end - start) // number
