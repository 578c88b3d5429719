"""Skip-gram: a word predicts each word near it."""

import torch
from torch import Tensor, nn


class SkipGram(nn.Module):
    """Predicts a word from another one's vector, for all pairs of near words (Mikolov et al. 2013, arXiv 1301.3781, section 3.2).

    Nearness is symmetric, so over a corpus it makes no difference which word of a pair is the input. As in word2vec.c, the inputs
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
            outputs: other arguments of the objective: words to predict [B] and, for negative sampling, noise [M].
        """
        loss: Tensor = self.objective(self.inputs(words), *outputs)
        return loss


def first_vectors(rows: int, dimension: int) -> Tensor:
    """Uniform in +-1/(2d), as in word2vec.c: [rows, d]."""
    return (torch.rand(rows, dimension) - 0.5) / dimension
