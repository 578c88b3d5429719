"""A beam search as a tree of all the hypotheses that were in the beam."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.text.special import EOS
from serving.predictors.arrays import FloatArray, IntArray

Prefix = tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """A hypothesis.

    Attributes:
        prefix: its tokens.
        parent: place, in the list of all nodes, of the hypothesis that it extends; None for the first tokens.
        log_probability: natural, of all its tokens.
        rank: its place among the translations that were found, 0 for the best; None if it is not finished, or not among them.
    """

    prefix: Prefix
    parent: int | None
    log_probability: float
    rank: int | None


def tree(tokens: IntArray, rows: IntArray, sums: FloatArray, found: Sequence[Prefix]) -> list[Node]:
    """All hypotheses of a sentence's search, those of a step after those of the step before.

    Args:
        tokens: models.beam.Trace.tokens of one sentence, [L, K].
        rows: its rows, [L, K].
        sums: its sums, [L, K].
        found: the finished hypotheses, best first.
    """
    nodes, ranks = list[Node](), {prefix: rank for rank, prefix in enumerate(found)}
    before: dict[int, int] = {}  # beam position -> place of its node, in the step before
    for step in range(len(tokens)):
        now = dict[int, int]()
        for place, token, row, total in _used(tokens[step], rows[step], sums[step]):
            parent = before.get(row)
            prefix = (*nodes[parent].prefix, token) if parent is not None else (token,)
            now[place] = len(nodes)
            nodes.append(Node(prefix, parent, total, ranks.get(prefix) if token == EOS else None))
        before = now
    return nodes


def _used(tokens: IntArray, rows: IntArray, sums: FloatArray) -> Iterator[tuple[int, int, int, float]]:
    """The used positions of the beam after one step."""
    for place in np.flatnonzero(np.isfinite(sums)).tolist():
        yield place, int(tokens[place]), int(rows[place]), float(sums[place])
