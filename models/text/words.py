"""Splitting a text into words, and vocabularies of words."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.text.normalize import normalize

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")  # letters and digits, with apostrophes between them


def words_of(text: str) -> list[str]:
    """The lower-cased words of a text; an apostrophe within a word is kept ("don't"), other punctuation is removed."""
    return WORD.findall(normalize(text, lowercase=True))


class WordVocabulary:
    """Words with their counts; a word's id is its position.

    Args:
        words: by descending count, without duplicates.
        counts: occurrences of each word in the training data, [V]; all 0 if unknown.

    Raises:
        ValueError: a word is listed twice, or the number of counts is not that of words.
    """

    def __init__(self, words: Iterable[str], counts: ArrayLike) -> None:
        self.words = tuple(words)
        self.counts: NDArray[np.int64] = np.asarray(counts, dtype=np.int64)
        self._ids = dict(zip(self.words, range(len(self.words)), strict=True))
        if len(self._ids) != len(self.words):
            twice = next(word for i, word in enumerate(self.words) if self._ids[word] != i)
            raise ValueError(f"the vocabulary has {twice!r} twice")
        if self.counts.shape != (len(self.words),):
            raise ValueError(f"{len(self.words)} words cannot have counts of shape {self.counts.shape}")

    @classmethod
    def count(cls, counter: Mapping[str, int], min_count: int) -> "WordVocabulary":
        """The words that occur at least `min_count` times, most frequent first, ties in code point order."""
        kept = sorted((-n, word) for word, n in counter.items() if n >= min_count)
        return cls((word for _, word in kept), [-n for n, _ in kept])

    def __len__(self) -> int:
        """Number of words V."""
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def id(self, word: str) -> int | None:
        """The word's id; None for an unknown one."""
        return self._ids.get(word)

    def save(self, path: Path) -> None:
        """Write words and counts as JSON."""
        content = {"words": self.words, "counts": self.counts.tolist()}
        path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "WordVocabulary":
        """Read what `save` wrote."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(content["words"], content["counts"])
