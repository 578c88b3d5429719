"""CBOW: the words around a word predict it together."""

from torch import Tensor, nn

from models.embeddings.mean import MeanVectors


class CBOW(nn.Module):
    """Predicts a word from the mean of its context vectors, without order (Mikolov et al. 2013, arXiv 1301.3781, section 3.1).

    Args:
        vocabulary_size: V.
        dimension: d.
        objective: `NegativeSampling` or `HierarchicalSoftmax`.
    """

    def __init__(self, vocabulary_size: int, dimension: int, objective: nn.Module) -> None:
        super().__init__()
        self.inputs = MeanVectors(vocabulary_size, dimension)
        self.objective = objective

    def forward(self, contexts: Tensor, starts: Tensor, *outputs: Tensor) -> Tensor:
        """The objective, summed over the windows.

        Args:
            contexts: the context words of all windows, one window after the other, [sum of C].
            starts: where each window begins in `contexts`, [B].
            outputs: other arguments of the objective: words to predict [B] and, for negative sampling, noise [M].
        """
        loss: Tensor = self.objective(self.inputs(contexts, starts), *outputs)
        return loss
