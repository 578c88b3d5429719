"""Confidence intervals: Student's t, with their nominal coverage."""

import numpy as np
import pytest

from pipelines.evaluation.interval import interval


def test_the_textbook_interval() -> None:
    mean, low, high = interval(np.array([1.0, 2, 3, 4, 5]))
    assert mean == 3
    assert high - mean == pytest.approx(2.776445 * np.sqrt(2.5 / 5), rel=1e-6)  # the 97.5 % quantile with 4 degrees of freedom
    assert mean - low == pytest.approx(high - mean)


def test_the_interval_has_its_nominal_coverage() -> None:
    samples = np.random.default_rng(0).normal(1.0, 2.0, size=(4000, 5))
    held = [low < 1.0 < high for _, low, high in map(interval, samples)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)
