"""Skip-gram: each word near another one predicts it."""

import torch
from torch import Tensor, nn


class SkipGram(nn.Module):
    """A word by another one's vector, for all pairs of near words (Mikolov et al. 2013, arXiv 1301.3781, section 3.2).

    Both words of a pair are near each other, so over a corpus it is all the same which one is the input. As in word2vec.c, inputs
    are the words around a centre: those of one window then share the output.

    Args:
        vocabulary_size: V.
        dimension: d.
        objective: `NegativeSampling` or `HierarchicalSoftmax`.
    """

    def __init__(self, vocabulary_size: int, dimension: int, objective: nn.Module) -> None:
        super().__init__()
        self.inputs = nn.Embedding(vocabulary_size, dimension, sparse=True, _weight=first_vectors(vocabulary_size, dimension))
        self.objective = objective

    def forward(self, words: Tensor, *outputs: Tensor) -> Tensor:
        """The objective, summed over the pairs.

        Args:
            words: input words, [B].
            outputs: what the objective takes beside input vectors: words to predict [B] and, for negative sampling, noise [M].
        """
        loss: Tensor = self.objective(self.inputs(words), *outputs)
        return loss


def first_vectors(rows: int, dimension: int) -> Tensor:
    """Uniform in +-1/(2d), as in word2vec.c: [rows, d]."""
    return (torch.rand(rows, dimension) - 0.5) / dimension
