"""Sampling of the next unit: temperature, top-k and top-p, with separate settings for each row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.predictors.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Sampling:
    """Sampling settings of one row.

    Args:
        temperature: divides the logits; 0 takes the most probable unit.
        top_k: keep the k most probable units; None keeps all.
        top_p: of these, keep the smallest set whose probabilities reach p, in (0, 1] (nucleus sampling, Holtzman et al.
            2020, arXiv 1904.09751, section 3.1).
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0


def distribution(logits: FloatArray, settings: Sequence[Sampling]) -> NDArray[np.float64]:
    """Probabilities [B, V] of logits [B, V] after applying each row's settings."""
    vocabulary = logits.shape[1]
    order = np.argsort(-logits, axis=1, kind="stable")  # [B, V], most probable first
    ranked: NDArray[np.float64] = np.take_along_axis(logits, order, axis=1).astype(np.float64)
    temperature = np.array([s.temperature or 1.0 for s in settings])[:, None]
    with np.errstate(over="ignore"):  # a tiny temperature correctly sends all but the best to -inf
        ranked = np.exp((ranked - ranked[:, :1]) / temperature)
    top_k = np.array([1 if s.temperature == 0 else s.top_k or vocabulary for s in settings])[:, None]
    ranked[np.arange(vocabulary) >= top_k] = 0
    ranked /= ranked.sum(axis=1, keepdims=True)
    before = np.cumsum(ranked, axis=1) - ranked  # the mass of the more probable units
    ranked[before >= np.array([s.top_p for s in settings])[:, None]] = 0
    ranked /= ranked.sum(axis=1, keepdims=True)
    probabilities = np.empty_like(ranked)
    np.put_along_axis(probabilities, order, ranked, axis=1)
    return probabilities


def draw(probabilities: NDArray[np.float64], generators: Sequence[np.random.Generator]) -> IntArray:
    """Draw one unit for each row [B] of probabilities [B, V], with one number from the row's own generator.

    The result of a row depends only on its probabilities and generator, not on the other rows.
    """
    cumulative = np.cumsum(probabilities, axis=1)
    # A generator's largest number is 1 - 2**-53, so a target stays below the total even after rounding.
    targets = np.array([g.random() for g in generators]) * cumulative[:, -1]
    drawn: IntArray = (cumulative <= targets[:, None]).sum(axis=1)
    return drawn


def most_probable(probabilities: NDArray[np.float64], n: int) -> list[tuple[int, float]]:
    """The `n` most probable units of a row [V] with their probabilities, fewer if the others have none; ties by the lower id."""
    best = np.argsort(-probabilities, kind="stable")[:n]
    return [(unit, p) for unit, p in zip(best.tolist(), probabilities[best].tolist(), strict=True) if p > 0]
