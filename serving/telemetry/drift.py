"""Drift of a model's inputs and outputs from its training data."""

import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Final, Protocol

import numpy as np

from serving.contents import Reference
from serving.telemetry.distance import Distance
from serving.telemetry.meter import Text
from serving.telemetry.stability import stability
from serving.telemetry.vectors import FloatVector, mean_of_units, ngram_vector

WINDOW: Final = 1000  # latest different texts
FEWEST: Final = 300  # with fewer texts, an index of many classes is mostly noise
EVERY: Final = 20  # texts between two updates
RATE: Final = 100  # texts per second, so that measuring takes at most a few thousandths of a worker's time
BINNED: Final = ("length", "label")  # features whose value is an index; that of the others is a distance


class Drift:
    """How far a model's latest texts are from its reference.

    - `length`, `label`: the population stability index of the lengths, and of the predicted classes.
    - `ngrams`, `embedding`: the distance of the texts' mean vector: of character n-grams, and of the model's own embedding.

    A text that is in the window does not count again: a few popular texts are no drift, and no evidence against it. The window
    has the hashes and vectors of texts, not the texts.

    Args:
        reference: statistics of texts like the training texts.
        clock: seconds, of any origin.
    """

    def __init__(self, reference: Reference, clock: Callable[[], float] = time.monotonic) -> None:
        self._features = _features(reference)
        self._budget = _Budget(clock)
        self._seen: dict[int, None] = {}  # hashes of the texts in the window, oldest first
        self._count = 0

    def add(self, text: Text) -> dict[str, float]:
        """Add a text.

        Returns:
            the index or the distance by feature; mostly empty, as they are only updated now and then.
        """
        key = hash(text.content or self._count)  # without a content, each text is another one
        if not self._features or key in self._seen or not self._budget.take():
            return {}
        if len(self._seen) == WINDOW:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = None
        for feature in self._features.values():
            feature.put(self._count % WINDOW, text)
        self._count += 1
        if self._count < FEWEST or self._count % EVERY:
            return {}
        return {name: feature.value(len(self._seen)) for name, feature in self._features.items()}


class _Feature(Protocol):
    def put(self, place: int, text: Text, /) -> None:
        """Put a text into a place of the window, instead of the one there."""

    def value(self, count: int, /) -> float:
        """The drift of the texts in the first `count` places."""


class _Bins:
    """The bins of the latest texts, and the shares of the bins in the reference."""

    def __init__(self, expected: dict[str, float], find: Callable[[Text], str]) -> None:
        self._expected, self._find = expected, find
        self._latest = [""] * WINDOW

    def put(self, place: int, text: Text) -> None:
        self._latest[place] = self._find(text)

    def value(self, count: int) -> float:
        return stability(self._latest[:count], self._expected)


class _Vectors:
    """The vectors of the latest texts, and their distance from the reference."""

    def __init__(self, distance: Distance, size: int, find: Callable[[Text], FloatVector]) -> None:
        self._distance, self._find = distance, find
        self._latest = np.empty((WINDOW, size), dtype=np.float32)

    def put(self, place: int, text: Text) -> None:
        self._latest[place] = self._find(text)

    def value(self, count: int) -> float:
        return self._distance(self._latest[:count])


def _features(reference: Reference) -> dict[str, _Feature]:
    """The features that the reference describes."""
    features: dict[str, _Feature] = {}
    if reference.length_shares:
        shares = {str(i): share for i, share in enumerate(reference.length_shares)}
        features["length"] = _Bins(shares, lambda text: str(bisect_left(reference.length_edges, text.length)))
    if reference.label_shares:
        features["label"] = _Bins(reference.label_shares, lambda text: text.label or "")
    if reference.ngrams:
        size = len(reference.ngrams.mean)
        features["ngrams"] = _Vectors(Distance(reference.ngrams), size, lambda text: ngram_vector(text.content))
    if reference.embedding:
        size = len(reference.embedding.mean)
        units = np.frombuffer(reference.units, dtype=np.int8).reshape(-1, size)
        features["embedding"] = _Vectors(Distance(reference.embedding), size, lambda text: mean_of_units(text.ids, units))
    return features


class _Budget:
    """Allows RATE texts per second on average, and as many at once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._left, self._at = clock, float(RATE), clock()

    def take(self) -> bool:
        """Whether another text may be measured now."""
        now = self._clock()
        self._left = min(float(RATE), self._left + (now - self._at) * RATE)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
