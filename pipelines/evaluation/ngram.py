"""Language model baselines: an interpolated n-gram model of characters or words, and one conditioned on labels."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from models.text.special import BOS
from pipelines.evaluation.mixture import bits

ORDER = 5
SMALLEST_DISCOUNT = 0.1  # lower bound of an estimate: with a discount of 0, units unseen after a history would get probability 0
DISCOUNTS = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
LABEL_WEIGHTS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)

Sequences = Sequence[Sequence[int] | NDArray[np.integer]]  # each begins with BOS; all units but BOS are predicted
Ids = NDArray[np.int64]
Probabilities = NDArray[np.float64]
Discounts = NDArray[np.float64]  # D_1, D_2, D_3 of each n, [order, 3]


@dataclass(frozen=True)
class _Level:
    """All n-grams of one n. An n-gram's number is the index of its key; its key is the number of its history * size + its unit.

    Attributes:
        keys: ascending.
        counts: c of each n-gram.
        totals: sum of c after each history, by the history's number.
        kinds: N_1, N_2 and N_3 of each history, [3, histories].
    """

    keys: Ids
    counts: Ids
    totals: Ids
    kinds: Ids

    def find(self, keys: Ids) -> Ids:
        """Number of each n-gram, -1 if it was not seen."""
        numbers = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        return np.where(self.keys[numbers] == keys, numbers, -1)


class NGram:
    """Interpolated Kneser-Ney smoothing, modified (Chen and Goodman 1998, TR-10-98, section 3).

        p(w | h) = (c(h w) - D(c(h w))) / sum_v c(h v)  +  sum_k D_k N_k(h) / sum_v c(h v)  p(w | h')

    h' is h without its oldest unit. D(c) is D_1, D_2 or D_3 for a count of 1, 2, or 3 and more, and 0 for a count of 0; N_k(h)
    is the number of distinct units with such a count after h. For the longest histories, and those that reach back to BOS,
    c counts occurrences; for the others it counts the distinct preceding units. The empty history backs off to the uniform
    distribution over all ids.

    Args:
        sequences: training sequences.
        size: number of ids.
        order: n, the number of units of the history plus the predicted one.
    """

    def __init__(self, sequences: Sequences, *, size: int, order: int = ORDER) -> None:
        self._size, self._order = size, order
        units, depths = _flatten(sequences)
        keys, numbers, history = list[Ids](), list[Ids](), np.zeros_like(units)
        for n in range(1, order + 1):
            whole = depths >= n - 1  # where the last n units are in one sequence
            if not whole.any():
                break
            distinct, number = np.unique(history[whole] * size + units[whole], return_inverse=True)
            keys.append(distinct)
            numbers.append(np.full_like(units, -1))
            numbers[-1][whole] = number
            history = _before(numbers[-1], depths)
        counts = _counts(keys, numbers, depths, size)
        histories = [1, *map(len, keys[:-1])]
        self._levels = [_level(*level, size) for level in zip(keys, counts, histories, strict=True)]

    def estimate_discounts(self) -> Discounts:
        """Estimate each n's discounts from n_1 to n_4, the numbers of n-grams with these counts (section 3, equation 26).

        Raises:
            ValueError: there is too little data: one of these numbers is 0.
        """
        n = np.array([np.bincount(level.counts.clip(max=5), minlength=6)[1:5] for level in self._levels], np.float64)
        if not n.all():
            raise ValueError("too little text to estimate discounts: some count from 1 to 4 does not occur at some order")
        k, once, twice = np.arange(1, 4), n[:, :1], n[:, 1:2]
        ideal = k - (k + 1) * once / (once + 2 * twice) * n[:, 1:] / n[:, :-1]
        return ideal.clip(SMALLEST_DISCOUNT, k)

    def probabilities(self, sequences: Sequences, discounts: float | Discounts) -> Probabilities:
        """P(unit | preceding units of its sequence) for every unit but BOS, with all sequences concatenated.

        Args:
            sequences: sequences of any ids; units further back than the model's order are ignored.
            discounts: D_k of each n, in (0, k]; or one number in (0, 1) for all.
        """
        table = np.broadcast_to(discounts, (self._order, 3))
        units, depths = _flatten(sequences)
        result, history = np.full(len(units), 1 / self._size), np.zeros_like(units)
        for level, by_count in zip(self._levels, table, strict=False):
            numbers = level.find(history * self._size + units)
            seen = np.flatnonzero((history >= 0) & (level.totals[history] > 0))  # if this history is unseen, longer ones are too
            behind, number = history[seen], numbers[seen]
            counts = np.where(number >= 0, level.counts[number], 0)
            kept = counts - np.array([0, *by_count])[counts.clip(max=3)]
            result[seen] = (kept + by_count @ level.kinds[:, behind] * result[seen]) / level.totals[behind]
            history = _before(numbers, depths)
        return result[depths > 0]


def _flatten(sequences: Sequences) -> tuple[Ids, Ids]:
    """The units of all sequences concatenated, and the position of each within its sequence."""
    lengths = [len(row) for row in sequences]
    starts = np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
    units = np.concatenate([np.asarray(row, np.int64) for row in sequences])
    return units, np.arange(len(units)) - starts


def _before(numbers: Ids, depths: Ids) -> Ids:
    """At each position, the number of the n-gram that ends one position earlier; -1 if there is none in its sequence."""
    return np.where(depths > 0, np.roll(numbers, 1), -1)


def _counts(keys: list[Ids], numbers: list[Ids], depths: Ids, size: int) -> list[Ids]:
    """The counts c of all n-grams, for each n.

    Args:
        keys: see `_Level`, for each n.
        numbers: number of the n-gram that ends at each position of the training data, -1 if there is none, for each n.
        depths: see `_flatten`.
        size: number of ids.
    """
    counts, begins = list[Ids](), np.empty(0, bool)
    for n, (key, number) in enumerate(zip(keys, numbers, strict=True)):
        occurrences = np.bincount(number[(number >= 0) & (depths > 0)], minlength=len(key))
        begins = begins[key // size] if n else key == BOS  # whether BOS is its first unit
        if n + 1 < len(keys):
            longer = numbers[n + 1]
            suffixes = np.empty(len(keys[n + 1]), np.int64)
            suffixes[longer[longer >= 0]] = number[longer >= 0]
            preceding = np.bincount(suffixes, minlength=len(key))
            occurrences = np.where(begins, occurrences, preceding)
        counts.append(occurrences)
    return counts


def _level(keys: Ids, counts: Ids, histories: int, size: int) -> _Level:
    history = keys // size
    totals = np.bincount(history, weights=counts, minlength=histories).astype(np.int64)
    kinds = [np.bincount(history[counts.clip(max=3) == k], minlength=histories) for k in (1, 2, 3)]
    return _Level(keys, counts, totals, np.array(kinds))


@dataclass(frozen=True)
class Smoothing:
    """Tuned parameters.

    Attributes:
        discount: the discount for all counts and orders of `NGram`.
        label_weight: weight of the label's own model.
    """

    discount: float
    label_weight: float


class LabelledNGram:
    """One model per label, interpolated with a model of all labels, since the texts of one label are few for rare units.

        p(w | h, label) = weight p_label(w | h) + (1 - weight) p_all(w | h)

    Args:
        sequences: training sequences.
        labels: one per sequence.
        size: number of ids.
    """

    def __init__(self, sequences: Sequences, labels: Sequence[str], *, size: int) -> None:
        self._all = NGram(sequences, size=size)
        self._own = {label: NGram(rows, size=size) for label, rows in _by_label(sequences, labels).items()}

    def tune(self, sequences: Sequences, labels: Sequence[str]) -> Smoothing:
        """The choice from DISCOUNTS and LABEL_WEIGHTS with the fewest bits on held-out sequences."""
        parts = {discount: self._parts(sequences, labels, discount) for discount in DISCOUNTS}
        choices = [Smoothing(*choice) for choice in product(DISCOUNTS, LABEL_WEIGHTS)]
        return min(choices, key=lambda choice: bits(parts[choice.discount], choice.label_weight))

    def bits_per_unit(self, sequences: Sequences, labels: Sequence[str], smoothing: Smoothing) -> float:
        """Mean of -log2 P(unit | history, label) over all units but BOS. Raises KeyError for a label not seen in training."""
        return bits(self._parts(sequences, labels, smoothing.discount), smoothing.label_weight)

    def _parts(self, sequences: Sequences, labels: Sequence[str], discount: float) -> Probabilities:
        """Each unit's probability by the model of its label and by that of all labels, [N, 2], grouped by label."""
        parts = [
            np.stack([model.probabilities(rows, discount) for model in (self._own[label], self._all)], 1)
            for label, rows in _by_label(sequences, labels).items()
        ]
        return np.concatenate(parts)


def _by_label(sequences: Sequences, labels: Sequence[str]) -> dict[str, list[Sequence[int] | NDArray[np.integer]]]:
    groups = defaultdict(list)
    for row, label in zip(sequences, labels, strict=True):
        groups[label].append(row)
    return groups
