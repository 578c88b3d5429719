"""Principal components, for maps of word vectors."""

import numpy as np
from numpy.typing import NDArray


def principal(matrix: NDArray[np.floating]) -> NDArray[np.floating]:
    """Project the rows onto their first two principal components, [N, d] -> [N, 2]; zeros for components that do not exist.

    The sign of a component is arbitrary: its largest entry is made positive, as in scikit-learn's PCA, which takes seconds to
    import.
    """
    centred = matrix - matrix.mean(axis=0)
    components = np.linalg.svd(centred, full_matrices=False)[2][:2]
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1, keepdims=True), axis=1)
    places: NDArray[np.floating] = centred @ (components * np.sign(largest)).T
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
