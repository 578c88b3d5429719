"""One-hot vectors: a baseline representation without any information about meaning."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from models.text.json_files import write_json
from models.text.vectors import PROVENANCE, VOCABULARY, Ranking, UnknownWord, Vector, WordVectors, rank, unit
from models.text.words import WordVocabulary


class OneHot:
    """Each word is its own axis, and all words are equally dissimilar. Same interface as `WordVectors`, without a [V, V] matrix.

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
        """Write the vocabulary and its provenance, like `WordVectors.save`; the vectors need no file."""
        folder.mkdir(parents=True, exist_ok=True)
        self.vocabulary.save(folder / VOCABULARY)
        write_json(folder / PROVENANCE, self.provenance)

    def vector(self, word: str) -> Vector:
        """1 at the word's id and 0 elsewhere, [V].

        Raises:
            UnknownWord: the word is not in the vocabulary.
        """
        vector = np.zeros(len(self.vocabulary), dtype=np.float32)
        vector[self._id(word)] = 1
        return vector

    def similarity(self, a: str, b: str) -> float:
        """1 for a word with itself, 0 for two different words.

        Raises:
            UnknownWord: one of them is not in the vocabulary.
        """
        return float(self._id(a) == self._id(b))

    def nearest(self, query: str | Vector, k: int = 10) -> Ranking:
        """The `k` words most similar to a word, all with similarity 0, or to a vector [V].

        Raises:
            UnknownWord: the word is not in the vocabulary.
            ValueError: k is below 1.
        """
        if isinstance(query, str):
            return rank(self.vocabulary, self.vector(query), [query], k)
        return rank(self.vocabulary, unit(query), [], k)

    def analogy(self, a: str, b: str, c: str, k: int = 1) -> Ranking:
        """`k` words with similarity 0 to b - a + c, which is similar only to these three words, and they are excluded.

        Raises:
            UnknownWord: one of them is not in the vocabulary.
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
"""Any embedding that can be queried."""
