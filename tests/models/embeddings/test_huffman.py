"""The Huffman tree: frequent words have short paths, no path is a prefix of another, and probabilities sum to one."""

import heapq

import numpy as np
import pytest
import torch

from models.embeddings.hierarchical_softmax import HierarchicalSoftmax
from models.embeddings.huffman import huffman_paths


def ways(counts: list[int]) -> list[list[tuple[int, float]]]:
    paths = huffman_paths(np.array(counts))
    bounds = zip(paths.starts[:-1], paths.starts[1:], strict=True)
    return [list(zip(paths.nodes[a:b].tolist(), paths.labels[a:b].tolist(), strict=True)) for a, b in bounds]


def test_a_tree_of_three_words() -> None:
    assert ways([5, 2, 1]) == [
        [(1, 0.0)],
        [(1, 1.0), (0, 0.0)],
        [(1, 1.0), (0, 1.0)],
    ]


@pytest.mark.parametrize("words", [2, 3, 100])
def test_the_tree_is_optimal(words: int) -> None:
    counts = np.random.default_rng(0).zipf(1.5, words).clip(max=10**6).tolist()
    heap, least = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:  # each join makes the paths of all words below one step longer
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        least += joined
        heapq.heappush(heap, joined)
    assert sum(count * len(way) for count, way in zip(counts, ways(counts), strict=True)) == least


def test_paths_split_where_the_labels_differ() -> None:
    found = ways([7, 7, 7, 3, 2, 1, 1])
    assert len({tuple(way) for way in found}) == 7
    for way in found:
        assert way[0][0] == 5  # the root, the last node created
        for other in found:
            for (node, label), (other_node, other_label) in zip(way, other, strict=False):
                assert node == other_node
                if label != other_label:
                    break


def test_probabilities_sum_to_one() -> None:
    torch.manual_seed(0)
    module = HierarchicalSoftmax(huffman_paths(np.array([9, 4, 3, 3, 1])), 6)
    torch.nn.init.normal_(module.outputs.weight)
    vector = torch.randn(1, 6)
    losses = torch.stack([module(vector, torch.tensor([word])) for word in range(5)])
    torch.testing.assert_close((-losses).exp().sum(), torch.tensor(1.0))
