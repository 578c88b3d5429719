"""The language model to beat: an interpolated n-gram model, conditioned on labels."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from models.text.special import BOS

ORDER = 5
DISCOUNTS = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
LABEL_WEIGHTS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)

Sequences = Sequence[Sequence[int]]  # each from BOS on; all but BOS is predicted


class NGram:
    """Interpolated Kneser-Ney smoothing (Chen and Goodman 1998, TR-10-98, section 2.7; one discount for all orders).

        p(w | h) = max(c(h w) - D, 0) / sum_v c(h v)  +  D N(h) / sum_v c(h v)  p(w | h')

    h' is h without its oldest unit, N(h) the number of different units seen behind h. For the longest histories, and those
    that reach back to BOS, c counts occurrences; for the others it counts the different units that preceded. Below the
    empty history lies the uniform distribution over all ids.

    Args:
        sequences: to learn from.
        size: number of ids.
        order: n, the history's units and the predicted one.
    """

    def __init__(self, sequences: Sequences, *, size: int, order: int = ORDER) -> None:
        self._uniform, self._longest = 1 / size, order - 1
        grams = Counter(
            tuple(row[i - n : i + 1]) for row in sequences for i in range(1, len(row)) for n in range(min(self._longest, i) + 1)
        )
        preceding = Counter(gram[1:] for gram in grams)
        self._followers: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
        for gram, occurrences in grams.items():
            exact = len(gram) == order or gram[0] == BOS
            self._followers[gram[:-1]][gram[-1]] = occurrences if exact else preceding[gram]
        self._totals = {history: sum(counts.values()) for history, counts in self._followers.items()}

    def probability(self, history: Sequence[int], unit: int, discount: float) -> float:
        """P(unit | history).

        Args:
            history: from BOS on; what is out of the model's reach is ignored.
            unit: any id.
            discount: D, in (0, 1).
        """
        reach = tuple(history[-self._longest :]) if self._longest else ()
        probability = self._uniform
        for n in range(len(reach) + 1):
            suffix = reach[len(reach) - n :]
            total = self._totals.get(suffix)
            if total is None:  # then no longer one was seen either
                break
            followers = self._followers[suffix]
            kept = max(followers.get(unit, 0) - discount, 0)
            probability = (kept + discount * len(followers) * probability) / total
        return probability


@dataclass(frozen=True)
class Smoothing:
    """What is tuned: D of `NGram`, and the weight of the label's own model."""

    discount: float
    label_weight: float


class LabelledNGram:
    """A model of each label, interpolated with one of all labels together: few texts of a label say little about rare units.

        p(w | h, label) = weight p_label(w | h) + (1 - weight) p_all(w | h)

    Args:
        sequences: to learn from.
        labels: one for each sequence.
        size: number of ids.
    """

    def __init__(self, sequences: Sequences, labels: Sequence[str], *, size: int) -> None:
        groups: dict[str, list[Sequence[int]]] = defaultdict(list)
        for row, label in zip(sequences, labels, strict=True):
            groups[label].append(row)
        self._all = NGram(sequences, size=size)
        self._own = {label: NGram(rows, size=size) for label, rows in groups.items()}

    def tune(self, sequences: Sequences, labels: Sequence[str]) -> Smoothing:
        """The choice among DISCOUNTS and LABEL_WEIGHTS under which held-out sequences cost the fewest bits."""
        parts = {discount: self._parts(sequences, labels, discount) for discount in DISCOUNTS}
        choices = [Smoothing(*choice) for choice in product(DISCOUNTS, LABEL_WEIGHTS)]
        return min(choices, key=lambda choice: _bits(parts[choice.discount], choice.label_weight))

    def bits_per_unit(self, sequences: Sequences, labels: Sequence[str], smoothing: Smoothing) -> float:
        """Mean of -log2 P(unit | history, label) over all units but BOS. Raises KeyError for a label not seen in training."""
        return _bits(self._parts(sequences, labels, smoothing.discount), smoothing.label_weight)

    def _parts(self, sequences: Sequences, labels: Sequence[str], discount: float) -> NDArray[np.float64]:
        """The two models' probabilities of each unit, [N, 2]: the label's, and that of all labels."""
        return np.array(
            [
                [model.probability(row[:i], row[i], discount) for model in (self._own[label], self._all)]
                for row, label in zip(sequences, labels, strict=True)
                for i in range(1, len(row))
            ]
        )


def _bits(parts: NDArray[np.float64], label_weight: float) -> float:
    return float(-np.log2(parts @ [label_weight, 1 - label_weight]).mean())
