"""fastText: skip-gram with input vectors built from a word's n-grams."""

import numpy as np
import torch
from torch import Tensor, nn

from models.embeddings.bags import Bags
from models.embeddings.mean import MeanVectors


class FastText(nn.Module):
    """Skip-gram with the mean of a word's own vector and its n-grams' (Bojanowski et al. 2017, arXiv 1607.04606, section 3.2).

    The paper uses a sum, its authors' code a mean. As in that code, the input is the centre of a window: its vector is computed
    once and predicts the words around it one by one.

    Args:
        bags: the vectors that represent each word, from `subword_bags`.
        buckets: number of n-gram buckets.
        dimension: d.
        objective: `NegativeSampling`.
    """

    starts: Tensor
    rows: Tensor

    def __init__(self, bags: Bags, buckets: int, dimension: int, objective: nn.Module) -> None:
        super().__init__()
        self.inputs = MeanVectors(len(bags.starts) - 1 + buckets, dimension)
        self.objective = objective
        self.register_buffer("starts", torch.from_numpy(bags.starts))
        self.register_buffer("rows", torch.from_numpy(bags.rows.astype(np.int64)))

    def forward(self, words: Tensor, *outputs: Tensor) -> Tensor:
        """The objective, summed over the pairs.

        Args:
            words: input words, [B].
            outputs: other arguments of the objective: words to predict [B], noise [M].
        """
        sizes = self.starts[words + 1] - self.starts[words]  # [B]
        starts = sizes.cumsum(0) - sizes  # in the batch
        shift = torch.repeat_interleave(self.starts[words] - starts, sizes)  # from positions in the batch to those in all bags
        members = self.rows[torch.arange(len(shift), device=words.device) + shift]
        loss: Tensor = self.objective(self.inputs(members, starts), *outputs)
        return loss
