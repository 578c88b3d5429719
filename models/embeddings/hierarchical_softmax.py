"""Hierarchical softmax: a word as a path through a binary tree."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.embeddings.huffman import Paths


class HierarchicalSoftmax(nn.Module):
    """-log p(w | v) with a probability for each turn on the path to w (Mikolov et al. 2013, arXiv 1310.4546, equation (3)).

        p(w | v) = product over the steps n of the path to w of sigmoid(s_n u_n^T v)

    with s_n = 1 where the path goes left and -1 where it goes right. The probabilities of all words sum to 1.

    Args:
        paths: the paths to V words.
        dimension: d.
    """

    nodes: Tensor
    turns: Tensor

    def __init__(self, paths: Paths, dimension: int) -> None:
        super().__init__()
        words, steps = len(paths.starts) - 1, np.diff(paths.starts)
        self.outputs = nn.Embedding(words - 1, dimension, sparse=True)
        nn.init.zeros_(self.outputs.weight)
        taken = torch.arange(paths.longest) < torch.from_numpy(steps)[:, None]  # [V, longest]
        nodes, turns = torch.zeros(taken.shape, dtype=torch.long), torch.zeros(taken.shape)
        nodes[taken] = torch.from_numpy(paths.nodes.astype(np.int64))
        turns[taken] = torch.from_numpy(2 * paths.labels - 1)
        self.register_buffer("nodes", nodes)
        self.register_buffer("turns", turns)  # 0 after the end

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The objective, summed over B pairs.

        Args:
            inputs: v, [B, d].
            targets: w, [B].
        """
        turns = self.turns[targets].to(inputs.dtype)  # [B, longest]
        scores = torch.einsum("bd,bnd->bn", inputs, self.outputs(self.nodes[targets]))
        return -(functional.logsigmoid(turns * scores) * turns.abs()).sum()
