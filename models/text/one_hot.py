"""One-hot vectors: the representation that knows nothing of meaning, to hold the others against."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from models.text.vectors import PROVENANCE, VOCABULARY, Ranking, UnknownWord, Vector, WordVectors, rank, unit, write_json
from models.text.words import WordVocabulary


class OneHot:
    """Each word is an axis of its own, and all are equally unlike. Answers as `WordVectors` does, without its [V, V] matrix.

    Args:
        vocabulary: V words.
        provenance: see `WordVectors`.
    """

    def __init__(self, vocabulary: WordVocabulary, provenance: Mapping[str, object]) -> None:
        self.vocabulary, self.provenance = vocabulary, dict(provenance)

    @classmethod
    def load(cls, folder: Path) -> "OneHot":
        """Read what `save` wrote. Raises FileNotFoundError if a file is missing."""
        return cls(WordVocabulary.load(folder / VOCABULARY), json.loads((folder / PROVENANCE).read_text(encoding="utf-8")))

    def save(self, folder: Path) -> None:
        """Write the vocabulary and where it is from, as `WordVectors.save` does; the vectors need no file."""
        folder.mkdir(parents=True, exist_ok=True)
        self.vocabulary.save(folder / VOCABULARY)
        write_json(folder / PROVENANCE, self.provenance)

    def vector(self, word: str) -> Vector:
        """1 at the word's id and 0 elsewhere, [V].

        Raises:
            UnknownWord: the vocabulary lacks the word.
        """
        vector = np.zeros(len(self.vocabulary), dtype=np.float32)
        vector[self._id(word)] = 1
        return vector

    def similarity(self, a: str, b: str) -> float:
        """1 for a word with itself, 0 for any two.

        Raises:
            UnknownWord: the vocabulary lacks one of them.
        """
        return float(self._id(a) == self._id(b))

    def nearest(self, query: str | Vector, k: int = 10) -> Ranking:
        """The `k` words most similar to a word, all of them by 0, or to a vector [V].

        Raises:
            UnknownWord: the vocabulary lacks the word.
            ValueError: k is below 1.
        """
        if isinstance(query, str):
            return rank(self.vocabulary, self.vector(query), [query], k)
        return rank(self.vocabulary, unit(query), [], k)

    def analogy(self, a: str, b: str, c: str, k: int = 1) -> Ranking:
        """`k` words that are similar to b - a + c by 0: it is similar to these three alone, and they are left out.

        Raises:
            UnknownWord: the vocabulary lacks one of them.
            ValueError: k is below 1.
        """
        target = self.vector(b) - self.vector(a) + self.vector(c)
        return rank(self.vocabulary, unit(target), [a, b, c], k)

    def _id(self, word: str) -> int:
        index = self.vocabulary.id(word)
        if index is None:
            raise UnknownWord(word)
        return index


Embedding = WordVectors | OneHot
"""What answers questions about words."""
