"""The n-gram baseline: a proper distribution, values computed by hand, and lower perplexity with more data."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.special import BOS, EOS
from pipelines.evaluation.mixture import WEIGHTS, best_weight, bits, perplexity
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


def last(model: NGram, sequence: list[int], discount: float) -> float:
    return float(model.probabilities([sequence], discount)[-1])


def test_equals_a_case_computed_by_hand() -> None:
    a, b = 4, 5
    model = NGram([[BOS, a, b, EOS], [BOS, a, a, EOS]], size=6, order=2)
    # Distinct preceding units: BOS and a before a, a before b, a and b before EOS: 5 in all, for 3 units.
    p_a, p_b = (2 - 0.5) / 5 + 0.5 * 3 / 5 / 6, (1 - 0.5) / 5 + 0.5 * 3 / 5 / 6
    assert last(model, [b, 0], 0.5) == pytest.approx(0.5 * (0.5 * 3 / 5 / 6))
    assert last(model, [0, b], 0.5) == pytest.approx(p_b)  # nothing was seen after 0
    assert last(model, [BOS, a], 0.5) == pytest.approx((2 - 0.5) / 2 + 0.5 * 1 / 2 * p_a)
    assert last(model, [BOS, b, a, b], 0.5) == pytest.approx((1 - 0.5) / 3 + 0.5 * 3 / 3 * p_b)


def by_definition(sequences: list[list[int]], history: tuple[int, ...], unit: int, order: int, discounts: np.ndarray) -> float:
    """The formula of the class docstring, literally, with counts recomputed each time."""
    grams = [tuple(row[i - n : i + 1]) for row in sequences for i in range(1, len(row)) for n in range(min(order - 1, i) + 1)]

    def count(gram: tuple[int, ...]) -> int:
        if len(gram) == order or gram[0] == BOS:
            return grams.count(gram)
        return len({longer for longer in grams if longer[1:] == gram})

    lower = by_definition(sequences, history[1:], unit, order, discounts) if history else 1 / SIZE
    counts = [count((*history, v)) for v in range(SIZE)]
    total = sum(counts)
    if total == 0:
        return lower
    taken = [discounts[len(history), min(c, 3) - 1] if c else 0.0 for c in counts]
    return float((counts[unit] - taken[unit]) / total + sum(taken) / total * lower)


@given(SEQUENCES, st.lists(UNITS, min_size=1, max_size=6), st.integers(1, 3))
def test_equals_the_formula_at_every_position(sequences: list[list[int]], row: list[int], order: int) -> None:
    discounts = np.array([[0.2, 0.9, 1.4], [0.5, 1.1, 1.5], [0.7, 1.3, 2.0]])
    text = [BOS, *row]
    places = range(1, len(text))
    expected = [by_definition(sequences, tuple(text[max(0, i - order + 1) : i]), text[i], order, discounts) for i in places]
    model = NGram(sequences, size=SIZE, order=order)
    actual = model.probabilities([[BOS, EOS], text], discounts[:order])
    np.testing.assert_allclose(actual[1:], expected, rtol=1e-12)


@given(SEQUENCES, st.lists(UNITS, max_size=7), st.integers(1, 5), st.sampled_from(DISCOUNTS))
def test_sums_to_one_after_any_history(sequences: list[list[int]], history: list[int], order: int, discount: float) -> None:
    model = NGram(sequences, size=SIZE, order=order)
    probabilities = model.probabilities([[BOS, *history, unit] for unit in range(SIZE)], discount)
    probabilities = probabilities.reshape(SIZE, -1)[:, -1]
    assert probabilities.min() > 0
    assert probabilities.sum() == pytest.approx(1)


def test_words_of_a_large_vocabulary_sum_to_one() -> None:
    rng, size = np.random.default_rng(0), 5000
    text = np.minimum(rng.zipf(1.3, 20_000) + EOS, size - 1)
    model = NGram([np.concatenate(([BOS], text))], size=size, order=3)
    discounts = model.estimate_discounts()
    assert ((discounts > 0) & (discounts <= [1, 2, 3])).all()
    for place in (3, 777, 15_000):
        rows = np.repeat([[BOS, *text[place - 4 : place], 0]], size, axis=0)
        rows[:, -1] = np.arange(size)
        assert model.probabilities(list(rows), discounts).reshape(size, -1)[:, -1].sum() == pytest.approx(1)


def test_estimated_discounts_are_those_of_the_counts() -> None:
    units = [unit for unit, count in ((4, 1), (5, 1), (6, 2), (7, 3), (8, 4)) for _ in range(count)]
    y = 2 / (2 + 2 * 1)
    expected = [1 - 2 * y * 1 / 2, 2 - 3 * y * 1 / 1, 3 - 4 * y * 1 / 1]
    np.testing.assert_allclose(NGram([[BOS, *units]], size=SIZE, order=1).estimate_discounts(), [expected])
    with pytest.raises(ValueError, match="too little text"):
        NGram([[BOS, 4]], size=SIZE, order=1).estimate_discounts()


@given(SEQUENCES, st.sampled_from(LABEL_WEIGHTS))
def test_sums_to_one_with_labels(sequences: list[list[int]], label_weight: float) -> None:
    labels = ["even" if i % 2 == 0 else "odd" for i in range(len(sequences))]
    model = LabelledNGram(sequences, labels, size=SIZE)
    costs = [model.bits_per_unit([[BOS, unit]], ["even"], Smoothing(0.75, label_weight)) for unit in range(SIZE)]
    assert sum(2**-b for b in costs) == pytest.approx(1)


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


def test_tuning_finds_the_best_choice_and_labels_help() -> None:
    rng = np.random.default_rng(1)
    sources = {label: random_transitions(rng) for label in "xy"}

    def sample(rows: int) -> tuple[list[list[int]], list[str]]:
        return [row for t in sources.values() for row in markov(rng, rows, t)], [label for label in sources for _ in range(rows)]

    model, (sequences, labels) = LabelledNGram(*sample(60), size=SIZE), sample(60)
    best = model.bits_per_unit(sequences, labels, model.tune(sequences, labels))
    others = [model.bits_per_unit(sequences, labels, Smoothing(d, w)) for d in DISCOUNTS for w in LABEL_WEIGHTS]
    assert best == min(others)
    assert best < model.bits_per_unit(sequences, labels, Smoothing(0.75, 0.0)) - 0.1


def test_a_mixture_is_no_worse_than_its_better_part() -> None:
    parts = np.random.default_rng(0).dirichlet([1, 1, 1], size=50)[:, :2]
    assert perplexity(parts, 1.0) == pytest.approx(np.exp(-np.log(parts[:, 0]).mean()))
    assert bits(parts, 0.25) == pytest.approx(-np.log2(0.25 * parts[:, 0] + 0.75 * parts[:, 1]).mean())
    assert bits(parts, best_weight(parts)) == min(bits(parts, weight) for weight in WEIGHTS)
    assert bits(parts, best_weight(parts)) < min(bits(parts, 0.0), bits(parts, 1.0))
