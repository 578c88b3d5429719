from unittest.mock import Mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from serving.predictors.sampling import Sampling, distribution, draw, most_probable

seeds = st.integers(0, 2**32 - 1)
settings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 1e-300, 0.3, 1.0, 5.0]),
    top_k=st.none() | st.integers(1, 12),
    top_p=st.sampled_from([1e-9, 0.1, 0.5, 0.9, 1.0]),
)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return shares


def logits_of(seed: int, rows: int = 1, vocabulary: int = 8) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(scale=3, size=(rows, vocabulary)).astype(np.float32)


@given(seeds, st.sampled_from([0.3, 1.0, 5.0]))
def test_without_filters_the_distribution_is_the_softmax(seed: int, temperature: float) -> None:
    logits = logits_of(seed)
    np.testing.assert_allclose(
        distribution(logits, [Sampling(temperature)]), softmax(logits.astype(np.float64) / temperature), rtol=1e-6, atol=1e-12
    )


@given(seeds)
def test_zero_and_tiny_temperatures_take_the_most_probable(seed: int) -> None:
    logits = logits_of(seed)
    for temperature in (0.0, 1e-300):
        assert distribution(logits, [Sampling(temperature)])[0, logits.argmax()] == 1


@given(seeds, st.integers(1, 12))
def test_top_k_keeps_the_k_best(seed: int, k: int) -> None:
    logits = logits_of(seed)
    kept = distribution(logits, [Sampling(top_k=k)])[0] > 0
    assert set(np.flatnonzero(kept)) == set(np.argsort(-logits[0])[:k])


@given(seeds, st.floats(0.01, 0.99))
def test_top_p_keeps_the_smallest_set_that_reaches_p(seed: int, p: float) -> None:
    logits = logits_of(seed)
    probabilities = softmax(logits[0].astype(np.float64))
    kept = distribution(logits, [Sampling(top_p=p)])[0] > 0
    assert probabilities[kept].sum() >= p - 1e-9
    assert probabilities[kept].sum() - probabilities[kept].min() < p + 1e-9
    assert probabilities[kept].min() >= probabilities[~kept].max(initial=0)


@given(st.lists(settings, min_size=1, max_size=5), seeds)
def test_a_row_draws_the_same_alone_and_among_others(rows: list[Sampling], seed: int) -> None:
    logits = logits_of(seed, rows=len(rows))
    together = draw(distribution(logits, rows), [np.random.default_rng([seed, i]) for i in range(len(rows))])
    alone = [draw(distribution(logits[[i]], [s]), [np.random.default_rng([seed, i])])[0] for i, s in enumerate(rows)]
    assert together.tolist() == alone


@given(settings, seeds)
def test_only_units_that_pass_the_filters_are_drawn(setting: Sampling, seed: int) -> None:
    logits = logits_of(seed)
    logits[0, :2] = -np.inf
    probabilities = distribution(logits, [setting])
    drawn = draw(probabilities, [np.random.default_rng(seed)])[0]
    assert probabilities[0, drawn] > 0
    assert drawn >= 2


def test_draws_follow_the_distribution() -> None:
    n, setting = 20_000, Sampling(temperature=1.5, top_k=5, top_p=0.95)
    logits = logits_of(3)
    generator = np.random.default_rng(0)
    drawn = draw(distribution(np.repeat(logits, n, axis=0), [setting] * n), [generator] * n)
    expected = distribution(logits, [setting])[0]
    observed = np.bincount(drawn, minlength=logits.shape[1]) / n
    assert np.all(np.abs(observed - expected) <= 4 * np.sqrt(expected * (1 - expected) / n))  # four standard errors


@given(seeds)
def test_the_largest_number_draws_the_last_unit_with_mass(seed: int) -> None:
    logits = logits_of(seed)
    logits[0, 6:] = -np.inf
    almost_one = Mock(spec=np.random.Generator)
    almost_one.random.return_value = np.nextafter(1.0, 0.0)  # the largest number that a generator returns
    probabilities = distribution(logits, [Sampling(top_k=4)])
    assert draw(probabilities, [almost_one]).tolist() == [np.flatnonzero(probabilities)[-1]]


@given(settings, seeds, st.integers(1, 12))
def test_the_most_probable_units_are_ranked_with_their_probabilities(setting: Sampling, seed: int, n: int) -> None:
    (probabilities,) = distribution(logits_of(seed), [setting])
    ranked = sorted(((int(unit), float(p)) for unit, p in enumerate(probabilities) if p > 0), key=lambda pair: -pair[1])
    assert most_probable(probabilities, n) == ranked[:n]


def test_equally_probable_units_are_ranked_by_their_ids() -> None:
    assert most_probable(np.array([0.0, 0.2, 0.3, 0.2, 0.3]), 3) == [(2, 0.3), (4, 0.3), (1, 0.2)]
