"""Scores of rows: the bootstrap's interval, gains between models, and slices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.series.execution import Impact
from models.series.market import MarketRecipe
from pipelines.evaluation.scores import Scores, bootstrap, by_length, gain, require_same
from pipelines.stage import StageError


def test_the_interval_contains_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    samples = [bootstrap(rng.normal(0.3, 1.0, 200), None, seed) for seed in range(100)]
    contained = sum(low <= 0.3 <= high for _, low, high in samples)
    assert 88 <= contained <= 99  # 95 expected, with a standard deviation of 2.2


def test_rows_of_one_block_count_as_one() -> None:
    values = np.random.default_rng(1).normal(size=50)
    repeated, blocks = np.repeat(values, 20), np.repeat(np.arange(50), 20)
    alone, together = bootstrap(values, None, 0), bootstrap(repeated, blocks, 0)
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    assert bootstrap(repeated, None, 0).high - bootstrap(repeated, None, 0).low < (together.high - together.low) / 3


def test_a_gain_is_positive_where_the_first_model_is_better() -> None:
    low, high = np.array([1.0, 2.0]), np.array([3.0, 1.0])
    assert gain(Scores("accuracy", high, True), Scores("accuracy", low, True)).tolist() == [2.0, -1.0]
    assert gain(Scores("qlike", high, False), Scores("qlike", low, False)).tolist() == [-2.0, 1.0]


def test_models_are_compared_on_the_same_rows_only() -> None:
    some = Scores("accuracy", np.ones(2), True)
    for other in (Scores("accuracy", np.ones(3), True), Scores("bits_per_char", np.ones(2), False)):
        with pytest.raises(StageError, match="cannot be compared"):
            gain(some, other)


def test_the_calibration_is_that_of_the_rows_that_count() -> None:
    correct = np.repeat([True, False], 50)
    scores = Scores("accuracy", correct.astype(float), True, confidence=np.full(100, 0.9), correct=correct)
    assert scores.calibration == pytest.approx(0.4)
    assert scores.only(correct).calibration == pytest.approx(0.1)
    assert Scores("accuracy", correct.astype(float), True).only(correct).calibration is None


def test_a_model_with_other_inputs_cannot_be_scored_on_the_rows() -> None:
    ours, theirs = (MarketRecipe(window, 20, Impact(0.0005, 0.001, 0.1)) for window in (30, 60))
    require_same(ours, ours)
    with pytest.raises(StageError, match=r"other settings \(window 30, now 60\)"):
        require_same(ours, theirs)


@given(st.lists(st.text(max_size=30), min_size=1, max_size=60))
def test_every_text_is_in_the_slice_of_its_length(texts: list[str]) -> None:
    for text, name in zip(texts, by_length(texts), strict=True):
        low, high = (int(word) for word in name.removesuffix(" characters").split(" to "))
        assert low <= max(len(text), 1) <= max(high, 1)
