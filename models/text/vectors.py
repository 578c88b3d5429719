"""Word vectors, the output of every training method, and queries on them."""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.text.json_files import write_json
from models.text.subword_ngrams import Subwords
from models.text.words import WordVocabulary

Vector = NDArray[np.float32]
Ranking = list[tuple[str, float]]
"""Words with their cosine similarity, the most similar first."""

VECTORS, VOCABULARY, PROVENANCE = "vectors.npy", "vocabulary.json", "provenance.json"
NGRAMS, SUBWORDS = "ngrams.npy", "subwords.json"


class UnknownWord(KeyError):  # noqa: N818 - named after what happened, like KeyError
    """There is no vector for a word. The only argument is the word."""

    def __str__(self) -> str:
        return f"there is no vector for {self.args[0]!r}"


class WordVectors:
    """One vector for each word of a vocabulary and, with n-grams, for other words.

    Args:
        vocabulary: V words.
        matrix: their vectors, [V, d]; may be memory-mapped.
        provenance: how they were trained: method, settings, corpus; JSON values.
        subwords: fastText's n-grams, to compose vectors for words outside of the vocabulary.

    Raises:
        ValueError: the shapes do not match.
    """

    def __init__(
        self,
        vocabulary: WordVocabulary,
        matrix: NDArray[np.float32],
        provenance: Mapping[str, object],
        subwords: Subwords | None = None,
    ) -> None:
        if matrix.ndim != 2 or len(matrix) != len(vocabulary):
            raise ValueError(f"{len(vocabulary)} words cannot have vectors of shape {matrix.shape}")
        if subwords and subwords.matrix.shape[1:] != matrix.shape[1:]:
            raise ValueError(f"n-grams of shape {subwords.matrix.shape} do not match words of shape {matrix.shape}")
        self.vocabulary, self.matrix, self.provenance, self.subwords = vocabulary, matrix, dict(provenance), subwords

    @classmethod
    def load(cls, folder: Path) -> "WordVectors":
        """Memory-map the files that `save` wrote; a vector is only read when it is used.

        Raises:
            FileNotFoundError: a file is missing.
            ValueError: the files do not match.
        """
        subwords = None
        if (folder / SUBWORDS).exists():
            subwords = Subwords(_map(folder / NGRAMS), **json.loads((folder / SUBWORDS).read_text(encoding="utf-8")))
        provenance = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        return cls(WordVocabulary.load(folder / VOCABULARY), _map(folder / VECTORS), provenance, subwords)

    def save(self, folder: Path) -> None:
        """Write the artefact, replacing an existing one: vectors as float32, the rest as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in (VECTORS, VOCABULARY, PROVENANCE, NGRAMS, SUBWORDS):
            (folder / name).unlink(missing_ok=True)  # processes that have mapped the old file keep its content
        np.save(folder / VECTORS, self.matrix.astype(np.float32, copy=False))
        self.vocabulary.save(folder / VOCABULARY)
        write_json(folder / PROVENANCE, self.provenance)
        if self.subwords:
            np.save(folder / NGRAMS, self.subwords.matrix.astype(np.float32, copy=False))
            write_json(folder / SUBWORDS, {"shortest": self.subwords.shortest, "longest": self.subwords.longest})

    @cached_property
    def lengths(self) -> Vector:
        """Euclidean length of each vector, [V].

        Raises:
            ValueError: a vector is not finite; the message names the word.
        """
        lengths: Vector = np.sqrt(np.einsum("vd,vd->v", self.matrix, self.matrix))
        broken = np.flatnonzero(~np.isfinite(lengths))
        if len(broken):
            raise ValueError(f"the vector of {self.vocabulary.words[broken[0]]!r} is not finite")
        return lengths

    def vector(self, word: str) -> Vector:
        """The word's vector, [d]; composed from n-grams if the word is not in the vocabulary.

        Raises:
            UnknownWord: there is neither a vector nor n-grams to compose it from.
        """
        index = self.vocabulary.id(word)
        if index is not None:
            vector: Vector = self.matrix[index]
            return vector
        composed = self.subwords.compose(word) if self.subwords else None
        if composed is None:
            raise UnknownWord(word)
        return composed

    def similarity(self, a: str, b: str) -> float:
        """Cosine of the angle between two words' vectors; 0 if one of them is zero.

        Raises:
            UnknownWord: one of them has no vector.
        """
        return float(unit(self.vector(a)) @ unit(self.vector(b)))

    def nearest(self, query: str | Vector, k: int = 10) -> Ranking:
        """The `k` words most similar to a word, excluding itself, or to a vector [d].

        Raises:
            UnknownWord: the word has no vector.
            ValueError: k is below 1, or a value of the vector is NaN or infinite.
        """
        if isinstance(query, str):
            return self._rank(self.vector(query), [query], k)
        return self._rank(query, [], k)

    def analogy(self, a: str, b: str, c: str, k: int = 1) -> Ranking:
        """The `k` words that are to c what b is to a, excluding these three.

            argmax_x cos(x, b - a + c), all of unit length

        3CosAdd of Mikolov, Yih and Zweig 2013, as written by Levy and Goldberg 2014 (CoNLL, equation 3).

        Raises:
            UnknownWord: one of the three has no vector.
            ValueError: k is below 1.
        """
        target = unit(self.vector(b)) - unit(self.vector(a)) + unit(self.vector(c))
        return self._rank(target, [a, b, c], k)

    def _rank(self, target: Vector, excluded: list[str], k: int) -> Ranking:
        scores = self.matrix @ unit(target)
        np.divide(scores, self.lengths, out=scores, where=self.lengths > 0)  # a zero vector is similar to nothing
        return rank(self.vocabulary, scores, excluded, k)


def unit(vector: Vector) -> Vector:
    """The vector scaled to length 1; a zero vector is not changed.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    length = np.linalg.norm(vector)
    if not np.isfinite(length):
        raise ValueError("the vector is not finite")
    return vector / length if length > 0 else vector


def rank(vocabulary: WordVocabulary, scores: Vector, excluded: list[str], k: int) -> Ranking:
    """The `k` best words; ties go to the more frequent word.

    Args:
        vocabulary: V words.
        scores: [V].
        excluded: words to exclude; unknown ones are ignored.
        k: number of words; fewer are returned if the vocabulary has no more.

    Raises:
        ValueError: k is below 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}, but must be at least 1")
    left_out = {i for i in map(vocabulary.id, excluded) if i is not None}
    first = np.argsort(-scores, kind="stable") if len(scores) <= k + len(left_out) else _top(scores, k + len(left_out))
    return [(vocabulary.words[i], float(scores[i])) for i in first.tolist() if i not in left_out][:k]


def _top(scores: Vector, k: int) -> NDArray[np.int64]:
    """Ids of the k best scores, best first; among ties with the last, the lowest ids."""
    least = np.partition(scores, -k)[-k]
    above, level = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
    chosen = np.concatenate([above, level[: k - len(above)]])
    return chosen[np.argsort(-scores[chosen], kind="stable")]


def _map(path: Path) -> NDArray[np.float32]:
    return np.asarray(np.load(path, mmap_mode="r"))
