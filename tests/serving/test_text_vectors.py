"""Texts as vectors, and the distance between samples of them."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.contents import Spread
from serving.telemetry.distance import Distance
from serving.telemetry.vectors import NGRAM_SIZE, mean_of_units, ngram_vector


def sample(mean: float, size: int, seed: int, dimensions: int = 8) -> np.ndarray:
    """Normal vectors with unequal variances and a correlation; the first dimension's mean is given, in standard deviations."""
    vectors = np.random.default_rng(seed).normal(size=(size, dimensions)) * np.arange(1, dimensions + 1)
    vectors[:, 0] += mean
    vectors[:, 1] += vectors[:, 2]
    return vectors


def reference(vectors: np.ndarray) -> Spread:
    return Spread(mean=vectors.mean(axis=0).tolist(), covariance=np.cov(vectors.T).tolist(), count=len(vectors))


def test_a_vector_is_the_same_everywhere() -> None:
    """A reference is made on another machine than the traffic: a change of these numbers would be an alarm everywhere."""
    vector = ngram_vector("Пётр O'Brien")
    assert vector.shape == (NGRAM_SIZE,)
    expected = [-0.142857, -0.142857, 0.428571, 0.076923, 0.076923, 0.230769]
    assert vector[[0, 1, 31, 32, 33, 63]].tolist() == pytest.approx(expected, abs=1e-6)
    code = "from serving.telemetry.vectors import ngram_vector; print(ngram_vector('Rossi').tobytes().hex())"
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert said == {ngram_vector("Rossi").tobytes().hex() + "\n"}


@given(st.text(max_size=50))
def test_every_text_has_a_vector_of_mean_signs(content: str) -> None:
    vector = ngram_vector(content.encode(errors="ignore").decode())
    assert vector.shape == (NGRAM_SIZE,)
    assert np.abs(vector).max() <= 1


def test_the_order_of_characters_matters_but_only_for_pairs() -> None:
    one, other = ngram_vector("abcd"), ngram_vector("dcba")
    assert one[:32].tolist() == other[:32].tolist()
    assert one[32:].tolist() != other[32:].tolist()


def test_the_mean_of_units() -> None:
    vectors = np.array([[1, 2], [3, -4], [100, 100]], dtype=np.int8)
    assert mean_of_units([0, 1, 2, 2], vectors).tolist() == [51, 49.5]
    assert mean_of_units([], vectors).tolist() == [0, 0]


def test_the_distance_is_at_most_the_true_one_and_close_to_it() -> None:
    distance = Distance(reference(sample(0, 4000, 1)))
    found = [distance(sample(1.0, 1000, seed)) for seed in range(2, 102)]
    assert 0.85 < np.mean(found) < 1.0
    assert np.mean([value > 1.0 for value in found]) <= 0.05


def test_without_a_difference_the_distance_is_zero_in_almost_all_samples() -> None:
    """The reference is new each time, as its own error is a part of the chance."""
    found = [
        Distance(reference(sample(0, 512, seed)))(sample(0, size, 1000 + seed)) for seed in range(200) for size in (100, 1000)
    ]
    assert np.mean([value > 0 for value in found]) <= 0.02


def test_directions_without_variance_do_not_break_it() -> None:
    flat = sample(0, 500, 1)
    flat[:, 3] = 7.0
    distance = Distance(reference(flat))
    other = sample(0, 500, 2)
    other[:, 3] = 7.0
    assert distance(other) < 0.1
    other[:, 3] = 8.0
    assert np.isfinite(distance(other))
    assert distance(other) > 1
