"""Similarity matrices, [N, N], by several measures, and how well their rankings of pairs agree."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def cosines(vectors: NDArray[np.floating]) -> Values:
    """Cosine similarities of the rows, [N, d] -> [N, N]; 0 where a row is zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.divide(vectors, lengths, out=np.zeros(vectors.shape), where=lengths > 0)
    products: Values = units @ units.T
    return products


def correlations(returns: Values) -> Values:
    """Pearson's correlations of the columns, [T, N] -> [N, N]."""
    matrix: Values = np.asarray(np.corrcoef(returns, rowvar=False))
    return matrix


def shrunk_correlations(returns: Values) -> Values:
    """Correlations of a covariance shrunk towards a multiple of the identity (Ledoit and Wolf 2004, J. Multivar. Anal. 88).

    The returns are not standardized first: all correlations would then shrink by the same factor, and the ranking of pairs
    would not change.
    """
    from sklearn.covariance import LedoitWolf  # takes seconds to import, which would delay the error for an invalid setting

    covariance = LedoitWolf().fit(returns).covariance_
    deviations = np.sqrt(np.diag(covariance))
    matrix: Values = covariance / np.outer(deviations, deviations)
    return matrix


def component_cosines(returns: Values, k: int) -> Values:
    """Cosines of the loadings on the first k principal components of the correlations: [T, N] -> [N, N].

        C = V diag(lambda) V',    loadings v_j sqrt(lambda_j), j = 1 ... k

    With all components, these are the correlations themselves.
    """
    values, vectors = np.linalg.eigh(correlations(returns))  # ascending
    return cosines(vectors[:, -k:] * np.sqrt(values[-k:].clip(min=0)))


def pairs(matrix: Values) -> Values:
    """The similarity of each pair, once: [N, N] -> [N (N - 1) / 2]."""
    return matrix[np.triu_indices(len(matrix), 1)]


def agreement(similar: Values, others: Values) -> Values:
    """Spearman's rank correlation of the pairs of one matrix with those of others: [P] and [B, P] -> [B]."""
    from scipy.stats import rankdata

    ranks = [rankdata(values, axis=-1) for values in (similar, others)]
    a, b = (values - values.mean(axis=-1, keepdims=True) for values in ranks)
    rho: Values = (b @ a) / np.sqrt((a @ a) * np.einsum("bp,bp->b", b, b))
    return rho


def resampled(returns: Values, block: int, times: int, seed: int) -> Values:
    """Correlations of the pairs in bootstrap samples of the days, [T, N] -> [times, P].

    The moving block bootstrap (Künsch 1989, Annals of Statistics 17): blocks of consecutive days preserve dependence between
    days, such as volatility clustering; each block starts on any day with the same probability.

    Args:
        returns: daily returns.
        block: length of a block, in days.
        times: number of samples.
        seed: seed of the draws.
    """
    days, length = len(returns), min(block, len(returns))
    starts = np.random.default_rng(seed).integers(0, days - length + 1, (times, -(-days // length)))
    drawn = (starts[:, :, None] + np.arange(length)).reshape(times, -1)[:, :days]
    return np.stack([pairs(correlations(returns[some])) for some in drawn])


def nearest(matrix: Values) -> list[int]:
    """Index of the most similar other item, for each item, [N]."""
    others = matrix.copy()
    np.fill_diagonal(others, -np.inf)
    places: list[int] = others.argmax(axis=1).tolist()
    return places


def same_group(matrix: Values, groups: Sequence[str]) -> float:
    """Share of items whose nearest neighbour is in their own group.

    Args:
        matrix: similarities, [N, N].
        groups: group of each item, [N].
    """
    return float(np.mean([groups[i] == groups[j] for i, j in enumerate(nearest(matrix))]))


def same_group_chance(groups: Mapping[str, Sequence[str]]) -> float:
    """Expected value of `same_group` for random neighbours: the share of ordered pairs within a group."""
    sizes = [len(members) for members in groups.values()]
    return sum(size * (size - 1) for size in sizes) / (sum(sizes) * (sum(sizes) - 1))
