"""The n-gram baseline: a proper distribution, the textbook's numbers, and better with more data."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.special import BOS, EOS
from pipelines.evaluation.ngram import DISCOUNTS, LABEL_WEIGHTS, LabelledNGram, NGram, Smoothing

SIZE = 9
UNITS = st.integers(0, SIZE - 1)
SEQUENCES = st.lists(
    st.lists(st.integers(EOS + 1, SIZE - 1), max_size=6).map(lambda row: [BOS, *row, EOS]), min_size=1, max_size=8
)


def markov(rng: np.random.Generator, rows: int, transitions: np.ndarray) -> list[list[int]]:
    """Sequences of a first-order Markov chain over the ids from EOS on."""
    sequences = []
    for _ in range(rows):
        row = [BOS, EOS + 1]
        while row[-1] != EOS:
            row.append(EOS + int(rng.choice(len(transitions), p=transitions[row[-1] - EOS])))
        sequences.append(row)
    return sequences


def random_transitions(rng: np.random.Generator) -> np.ndarray:
    return rng.dirichlet(np.full(SIZE - EOS, 0.5), size=SIZE - EOS)


def test_equals_a_case_computed_by_hand() -> None:
    a, b = 4, 5
    model = NGram([[BOS, a, b, EOS], [BOS, a, a, EOS]], size=6, order=2)
    # Preceded by so many different units: a by BOS and a, b by a, EOS by a and b; 5 together, 3 different units.
    p_a, p_b = (2 - 0.5) / 5 + 0.5 * 3 / 5 / 6, (1 - 0.5) / 5 + 0.5 * 3 / 5 / 6
    assert model.probability([b], 0, 0.5) == pytest.approx(0.5 * (0.5 * 3 / 5 / 6))
    assert model.probability([0], b, 0.5) == pytest.approx(p_b)  # nothing was seen behind 0
    assert model.probability([BOS], a, 0.5) == pytest.approx((2 - 0.5) / 2 + 0.5 * 1 / 2 * p_a)
    assert model.probability([BOS, b, a], b, 0.5) == pytest.approx((1 - 0.5) / 3 + 0.5 * 3 / 3 * p_b)


@given(SEQUENCES, st.lists(UNITS, max_size=7), st.integers(1, 5), st.sampled_from(DISCOUNTS))
def test_sums_to_one_behind_any_history(sequences: list[list[int]], history: list[int], order: int, discount: float) -> None:
    model = NGram(sequences, size=SIZE, order=order)
    probabilities = [model.probability([BOS, *history], unit, discount) for unit in range(SIZE)]
    assert min(probabilities) > 0
    assert sum(probabilities) == pytest.approx(1)


@given(SEQUENCES, st.sampled_from(LABEL_WEIGHTS))
def test_sums_to_one_with_labels(sequences: list[list[int]], label_weight: float) -> None:
    labels = ["even" if i % 2 == 0 else "odd" for i in range(len(sequences))]
    model = LabelledNGram(sequences, labels, size=SIZE)
    bits = [model.bits_per_unit([[BOS, unit]], ["even"], Smoothing(0.75, label_weight)) for unit in range(SIZE)]
    assert sum(2**-b for b in bits) == pytest.approx(1)


def test_more_data_costs_fewer_bits_down_to_the_entropy() -> None:
    rng = np.random.default_rng(0)
    transitions = random_transitions(rng)
    held_out = markov(rng, 300, transitions)
    steps = [(row[i - 1] - EOS, row[i] - EOS) for row in held_out for i in range(2, len(row))]
    optimum = -np.log2([transitions[step] for step in steps]).sum() / (len(steps) + len(held_out))  # the first unit is certain
    costs = [cost(markov(rng, rows, transitions), held_out) for rows in (10, 100, 3000)]
    assert costs == sorted(costs, reverse=True)
    assert optimum < costs[-1] < optimum + 0.05


def cost(train: Sequence[Sequence[int]], held_out: Sequence[Sequence[int]]) -> float:
    model = LabelledNGram(train, ["only"] * len(train), size=SIZE)
    return model.bits_per_unit(held_out, ["only"] * len(held_out), Smoothing(0.75, 1.0))


def test_tuning_finds_the_cheapest_choice_and_labels_pay() -> None:
    rng = np.random.default_rng(1)
    sources = {label: random_transitions(rng) for label in "xy"}

    def sample(rows: int) -> tuple[list[list[int]], list[str]]:
        return [row for t in sources.values() for row in markov(rng, rows, t)], [label for label in sources for _ in range(rows)]

    model, (sequences, labels) = LabelledNGram(*sample(60), size=SIZE), sample(60)
    best = model.bits_per_unit(sequences, labels, model.tune(sequences, labels))
    others = [model.bits_per_unit(sequences, labels, Smoothing(d, w)) for d in DISCOUNTS for w in LABEL_WEIGHTS]
    assert best == min(others)
    assert best < model.bits_per_unit(sequences, labels, Smoothing(0.75, 0.0)) - 0.1
