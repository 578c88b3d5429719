"""Calibration: compares a classifier's confidence with its accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15


@dataclass(frozen=True)
class Bin:
    """The answers with a confidence in one interval: their mean confidence, accuracy and number."""

    confidence: float
    accuracy: float
    count: int


def calibration_bins(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> list[Bin]:
    """Group answers into BINS intervals of equal width, ((m - 1) / M, m / M] (Guo et al. 2017, arXiv 1706.04599, section 2).

    Args:
        confidence: [N], the probability of each answer, in (0, 1].
        correct: [N], whether it was right.

    Returns:
        the non-empty bins, least confident first.
    """
    where = np.ceil(confidence * BINS)
    members = [where == m for m in np.unique(where)]
    return [Bin(float(confidence[m].mean()), float(correct[m].mean()), int(m.sum())) for m in members]


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Mean absolute difference of accuracy and confidence, each bin weighted by its answers (Guo et al. 2017, equation 3)."""
    return sum(b.count * abs(b.accuracy - b.confidence) for b in bins) / sum(b.count for b in bins)
