"""Principal components, compared with those of scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from models.text.principal import principal


@given(arrays(np.float64, st.tuples(st.integers(3, 12), st.integers(2, 9)), elements=st.integers(-99, 99).map(float)))
def test_principal_components_explain_the_same_variance_as_scikit_learns(matrix: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(principal(matrix).var(axis=0), PCA(2).fit_transform(matrix).var(axis=0), atol=1e-6)


def test_principal_components_have_the_signs_of_scikit_learns() -> None:
    matrix = np.random.default_rng(0).normal(size=(40, 9))
    np.testing.assert_allclose(principal(matrix), PCA(2).fit_transform(matrix), atol=1e-9)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_single_row_lies_at_the_origin(size: int) -> None:
    assert principal(np.full((1, size), 3.0)).tolist() == [[0, 0]]


def test_rows_of_one_dimension_lie_on_the_first_component() -> None:
    assert principal(np.array([[1.0], [2.0], [6.0]])).tolist() == [[-2, 0], [-1, 0], [3, 0]]


def test_two_rows_lie_on_the_first_component() -> None:
    np.testing.assert_allclose(np.abs(principal(np.array([[0.0, 3.0], [4.0, 0.0]]))), [[2.5, 0], [2.5, 0]], atol=1e-12)
