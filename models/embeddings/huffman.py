"""The binary tree of hierarchical softmax: short paths to frequent words (Huffman 1952)."""

from heapq import heapify, heappop, heappush
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Paths(NamedTuple):
    """Paths from the root to each of V words. Word w has the steps `starts[w]` to `starts[w + 1]`, from the root on.

    Attributes:
        starts: int64 [V + 1].
        nodes: inner node of each step, 0 to V - 2, int32.
        labels: 1 where the path goes left and 0 where it goes right, float32.
    """

    starts: npt.NDArray[np.int64]
    nodes: npt.NDArray[np.int32]
    labels: npt.NDArray[np.float32]

    @property
    def longest(self) -> int:
        """Steps of the longest path."""
        return int(np.diff(self.starts).max())


def huffman_paths(counts: npt.NDArray[np.int64]) -> Paths:
    """Join the two rarest nodes, the rarer on the left, until one remains; of equally frequent ones the older counts as rarer.

    Args:
        counts: of V words, at least two, [V].
    """
    words = len(counts)
    heap = [(count, word) for word, count in enumerate(counts.tolist())]
    heapify(heap)
    parents, left = np.zeros(2 * words - 1, np.int64), np.zeros(2 * words - 1, np.float32)
    for node in range(words, 2 * words - 1):
        (low, a), (high, b) = heappop(heap), heappop(heap)
        parents[[a, b]], left[a] = node, 1
        heappush(heap, (low + high, node))
    return _paths(words, parents, left)


def _paths(words: int, parents: npt.NDArray[np.int64], left: npt.NDArray[np.float32]) -> Paths:
    """The steps of all words at once, level by level from the leaves."""
    root, at = 2 * words - 2, np.arange(words)
    levels: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []  # words not yet at the root, and their current nodes
    on_way = np.arange(words)
    while len(on_way):
        levels.append((on_way, at))
        at = parents[at]
        on_way, at = on_way[at != root], at[at != root]
    members, nodes = (np.concatenate(column)[::-1] for column in zip(*levels, strict=True))  # the root's level first
    order = np.argsort(members, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(members, minlength=words))])
    return Paths(starts, (parents[nodes[order]] - words).astype(np.int32), left[nodes[order]])
