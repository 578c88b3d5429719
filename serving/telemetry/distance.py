"""The two-sample test of Hotelling, as a distance."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.contents import Spread

QUANTILE_99: Final = 2.326  # of the standard normal distribution
RIDGE: Final = 1e-3  # added to the variances, relative to their mean: some directions may have none, as with few characters


class Distance:
    """How far the means of samples are from the mean of a reference sample, in standard deviations of single vectors.

    The distance is Mahalanobis', delta = sqrt((m - m_0)' S^-1 (m - m_0)). Its estimate grows with the noise of both means, and a
    test of delta = 0 finds any difference, however small, if the samples are large. So this gives a lower bound of delta, with
    99 % confidence: 0 without a difference, and the same threshold fits samples of any size.

    With n = n_0 n_1 / (n_0 + n_1), Hotelling's T^2 = n delta^2 (Hotelling 1931, doi 10.1214/aoms/1177732979) has, for large
    samples, the noncentral chi-squared distribution with D degrees of freedom and noncentrality n delta^2.

    Args:
        reference: the reference sample, of n_0 vectors.
    """

    def __init__(self, reference: Spread) -> None:
        self._mean, self._count = np.array(reference.mean), reference.count
        covariance, size = np.array(reference.covariance), len(reference.mean)
        self._size = size
        ridge = RIDGE * np.trace(covariance) / size
        # The inverse of an estimated covariance is too large by this factor (Anderson 2003, section 7.7).
        shrink = (reference.count - size - 2) / (reference.count - 1)
        self._precision = shrink * np.linalg.inv(covariance + ridge * np.eye(size))

    def __call__(self, vectors: NDArray[np.floating]) -> float:
        """The lower bound for a sample [n_1, D]."""
        shift = vectors.mean(axis=0, dtype=np.float64) - self._mean
        n = self._count * len(vectors) / (self._count + len(vectors))
        excess = n * float(shift @ self._precision @ shift) - self._size  # its mean is the noncentrality
        bound = excess - QUANTILE_99 * math.sqrt(2 * self._size + 4 * max(excess, 0.0))
        return math.sqrt(max(bound, 0.0) / n)
