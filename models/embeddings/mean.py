"""The mean of several vectors as a model's input, for CBOW and fastText."""

import torch
from torch import Tensor, nn

from models.embeddings.skip_gram import first_vectors


class MeanVectors(nn.Module):
    """h = 1/|G| * sum over g in G of z_g, for each bag G of a batch.

    Each z_g gets the full gradient of h, not 1/|G| of it, as in word2vec.c, fastText and gensim. The step of h then does not
    depend on |G|.

    Args:
        rows: number of vectors.
        dimension: d.
    """

    def __init__(self, rows: int, dimension: int) -> None:
        super().__init__()
        self.vectors = nn.EmbeddingBag(rows, dimension, mode="sum", sparse=True, _weight=first_vectors(rows, dimension))

    def forward(self, members: Tensor, starts: Tensor) -> Tensor:
        """The means.

        Args:
            members: of all bags, concatenated, [sum of |G|].
            starts: where each bag begins in `members`, [B].

        Returns:
            [B, d].
        """
        total: Tensor = self.vectors(members, starts)
        sizes = torch.diff(starts, append=starts.new_tensor([len(members)]))
        return total + (total / sizes[:, None] - total).detach()  # the value of the mean, the gradient of the sum
