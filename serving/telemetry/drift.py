"""Drift of a model's inputs and outputs from its training data."""

import math
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

from serving.contents import Reference
from serving.telemetry.meter import Text

WINDOW: Final = 1000  # latest texts
FEWEST: Final = 100  # with fewer texts, the index is mostly noise
EVERY: Final = 20  # texts between two updates
LEAST: Final = 1e-3  # minimum share of a bin, as the index is infinite at 0


class Drift:
    """The population stability index (PSI) of the lengths and predicted classes of a model's latest texts.

    PSI = sum over bins of (p - q) ln(p / q) for shares p now and q in training. By convention, values below 0.1 mean no change,
    and values above 0.25 a significant one (Siddiqi 2006, Credit Risk Scorecards).
    """

    def __init__(self, reference: Reference) -> None:
        self._edges = reference.length_edges
        lengths = {str(i): share for i, share in enumerate(reference.length_shares)}
        features = {"length": lengths, "label": reference.label_shares}
        self._expected = {feature: shares for feature, shares in features.items() if shares}
        self._seen: deque[tuple[str, str]] = deque()
        self._counts: dict[str, Counter[str]] = {"length": Counter(), "label": Counter()}
        self._count = 0

    def add(self, text: Text) -> dict[str, float]:
        """Add a text.

        Returns:
            the index by feature; mostly empty, as it is only updated now and then.
        """
        if not self._expected:
            return {}
        self._put((str(bisect_left(self._edges, text.length)), text.label or ""), 1)
        if len(self._seen) > WINDOW:
            self._put(self._seen.popleft(), -1)
        self._count += 1
        if self._count < FEWEST or self._count % EVERY:
            return {}
        return {feature: self._index(self._counts[feature], shares) for feature, shares in self._expected.items()}

    def _put(self, places: tuple[str, str], sign: int) -> None:
        if sign > 0:
            self._seen.append(places)
        for counts, place in zip(self._counts.values(), places, strict=True):
            counts[place] += sign

    def _index(self, counts: Counter[str], expected: Mapping[str, float]) -> float:
        total = 0.0
        for place in expected.keys() | counts.keys():
            now, then = max(counts[place] / len(self._seen), LEAST), max(expected.get(place, 0.0), LEAST)
            total += (now - then) * math.log(now / then)
        return total
