"""Word vectors of one or more methods, and the choice of the method that answers a question."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from models.text.normalize import normalize
from models.text.principal import principal
from models.text.vectors import UnknownWord, WordVectors, unit
from serving.bundle import Bundle, BundleError
from serving.predictors.watch import Watch


class WordSpace:
    """The word vectors of one method, memory-mapped, so that the workers of a model share one copy.

    Args:
        method: name of the method.
        folder: folder of its files.

    Raises:
        ValueError: the files are inconsistent, or a value is NaN or infinite.
    """

    def __init__(self, method: str, folder: Path) -> None:
        self.method = method
        self.vectors = WordVectors.load(folder)
        _check_finite(self.vectors)

    def look_up(self, word: str) -> str:
        """The form of the word in the vocabulary: as written, in lower case or in capitals; in lower case if none is known."""
        forms = (word, word.lower(), word.upper())
        return next((form for form in forms if form in self.vectors.vocabulary), word.lower())

    def knows(self, word: str) -> bool:
        """Whether the vocabulary has the word; otherwise its vector can only be composed from n-grams."""
        return self.look_up(word) in self.vectors.vocabulary

    def lacking(self, words: Sequence[str]) -> list[str]:
        """The words that have no vector, neither learned nor composed from n-grams."""
        return [word for word in map(self.look_up, words) if not self._has_vector(word)]

    def places(self, words: Sequence[str], k: int, watch: Watch) -> dict[str, tuple[float, float]]:
        """The places of words and of the `k` nearest neighbours of each on a map.

        Args:
            words: one or more, as `look_up` returns them.
            k: number of neighbours of each word.
            watch: its deadline is checked before each ranking, which reads all vectors.

        Returns:
            The words, then their neighbours: their unit vectors on the first two principal components, with four decimals.

        Raises:
            DeadlineError: the deadline passed.
        """
        shown = dict.fromkeys(words)
        for word in tuple(shown):
            watch.check()
            shown |= dict.fromkeys(neighbour for neighbour, _ in self.vectors.nearest(word, k))
        matrix = np.stack([unit(self.vectors.vector(word)) for word in shown])
        places = principal(matrix.astype(np.float64)).round(4) + 0.0  # which turns -0 into 0
        return {word: (x, y) for word, (x, y) in zip(shown, places.tolist(), strict=True)}

    def _has_vector(self, word: str) -> bool:
        try:
            self.vectors.vector(word)
        except UnknownWord:
            return False
        return True


class WordSpaces:
    """The word vectors of a verified bundle, in its order.

    Vectors of different methods cannot be compared, so one space answers a whole question: the first that has a vector for each
    of its words.

    Args:
        folder: folder of the bundle.
        bundle: its manifest from `Bundle.load`, of kind "vectors".

    Raises:
        BundleError: the files are inconsistent, or a value is NaN or infinite.
    """

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self.bundle = bundle.of_kind("vectors")
        try:
            self._spaces = [WordSpace(method, folder / method) for method in bundle.methods]
        except ValueError as error:
            raise BundleError(f"{folder}: {error}") from error

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Verify the bundle in `folder` and load it.

        Raises:
            BundleError: it is not a valid bundle of vectors.
        """
        return cls(folder, Bundle.load(folder))

    def words(self, text: str) -> list[str]:
        """Split a question into words at white space."""
        return normalize(text).split()

    def knows(self, word: str) -> bool:
        """Whether any of the vocabularies has the word."""
        return any(space.knows(word) for space in self._spaces)

    def answering(self, words: Sequence[str]) -> WordSpace:
        """The space that answers a question about these words.

        Raises:
            UnknownWord: there is none; the argument is a word without a vector in the last space.
        """
        found = next((space for space in self._spaces if not space.lacking(words)), None)
        if found is None:
            raise UnknownWord(self._spaces[-1].lacking(words)[0])
        return found


def _check_finite(vectors: WordVectors) -> None:
    """Raise ValueError if a value is NaN or infinite."""
    vectors.lengths  # noqa: B018 - raises; computed here, it does not delay the first request
    if vectors.subwords and not np.isfinite(vectors.subwords.matrix.sum()):
        raise ValueError("the vector of an n-gram is not finite")
