"""Nearest words, similarities and analogies, from word vectors of any method."""

from pathlib import Path
from typing import Self

import numpy as np

from models.text.normalize import normalize
from models.text.vectors import UnknownWord, WordVectors
from serving.bundle import Bundle, BundleError


class WordSpace:
    """The word vectors of a verified bundle, mapped into memory: the workers of a model share one copy.

    Args:
        folder: where the bundle lies.
        bundle: what `Bundle.load` said about it, of kind "vectors".

    Raises:
        BundleError: the files do not go together, or a value is NaN or infinite.
    """

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self.bundle = bundle.of_kind("vectors")
        try:
            self.vectors = WordVectors.load(folder)
            _check_finite(self.vectors)
        except ValueError as error:
            raise BundleError(f"{folder}: {error}") from error

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Verify the bundle in `folder` and load it.

        Raises:
            BundleError: it is no intact bundle of vectors.
        """
        return cls(folder, Bundle.load(folder))

    def words(self, text: str) -> list[str]:
        """A question's words as they are looked up: what white space separates, in lower case if unknown as it is written."""
        return [word if self.knows(word) else word.lower() for word in normalize(text).split()]

    def knows(self, word: str) -> bool:
        """Whether the vocabulary has the word, so that its vector need not be made from n-grams."""
        return word in self.vectors.vocabulary

    def has_vector(self, word: str) -> bool:
        """Whether the word has a vector, be it learned or made from n-grams."""
        try:
            self.vectors.vector(word)
        except UnknownWord:
            return False
        return True


def _check_finite(vectors: WordVectors) -> None:
    """Raise ValueError if a value is NaN or infinite."""
    vectors.lengths  # noqa: B018 - raises; and having been computed, the lengths keep no request waiting
    if vectors.subwords and not np.isfinite(vectors.subwords.matrix.sum()):
        raise ValueError("the vector of an n-gram is not finite")
