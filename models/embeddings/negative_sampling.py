"""Negative sampling: distinguish the observed word from words drawn at random."""

from torch import Tensor, nn
from torch.nn import functional


class NegativeSampling(nn.Module):
    """The objective of Mikolov et al. 2013 (arXiv 1310.4546), equation (4), negated so that lower is better.

        -log sigmoid(u_o^T v) - K/M * sum over m = 1 .. M of log sigmoid(-u_m^T v)

    The paper draws K noise words w_m for each pair of v and o. Here all pairs of a batch share M noise words: M = K for a window
    (Ji et al. 2016, arXiv 1604.04661), M > K for a large batch; the factor K/M keeps the expectation. As in word2vec.c, a noise
    word that equals the pair's o does not count.

    Args:
        vocabulary_size: V.
        dimension: d.
        negatives: K.
    """

    def __init__(self, vocabulary_size: int, dimension: int, negatives: int) -> None:
        super().__init__()
        self.outputs = nn.Embedding(vocabulary_size, dimension, sparse=True)
        nn.init.zeros_(self.outputs.weight)
        self.negatives = negatives

    def forward(self, inputs: Tensor, targets: Tensor, noise: Tensor) -> Tensor:
        """The objective, summed over B pairs.

        Args:
            inputs: v, [B, d].
            targets: o, [B].
            noise: w_m, [M].
        """
        found = (inputs * self.outputs(targets)).sum(1)  # [B]
        drawn = inputs @ self.outputs(noise).T  # [B, M]
        counted = noise != targets[:, None]
        rejected = (functional.logsigmoid(-drawn) * counted).sum()
        return -functional.logsigmoid(found).sum() - self.negatives / len(noise) * rejected
