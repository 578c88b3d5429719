"""Adaptive softmax: a softmax over words that spends most of its time on the frequent ones."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from models.loss import Loss, token_loss

SHRINK = 4  # a cluster's vectors are this many times smaller than those of the previous cluster


class AdaptiveSoftmax(nn.Module):
    """Grave et al. 2017 (arXiv 1609.04309): words in clusters by frequency; only the first is always computed.

        p(w | x) = softmax(A_0 x + b_0)_w                                     for a word w of the first cluster
        p(w | x) = softmax(A_0 x + b_0)_i softmax(A_i P_i x + b_i)_w          for a word of cluster i

    The first cluster has one extra row for each other cluster. Without cutoffs this is the softmax over all words.

    Args:
        size: d, of x.
        words: V, number of word ids, the frequent ones first.
        cutoffs: first id of each cluster but the first, ascending.
    """

    def __init__(self, size: int, words: int, cutoffs: Sequence[int]) -> None:
        super().__init__()
        self.bounds = list(pairwise([*cutoffs, words]))  # first id and end of each cluster but the first
        self.head = nn.Linear(size, (cutoffs[0] if cutoffs else words) + len(cutoffs))
        self.tails = nn.ModuleList()
        for i, (start, end) in enumerate(self.bounds, start=1):
            shorter = max(size // SHRINK**i, 1)
            self.tails.append(nn.Sequential(nn.Linear(size, shorter, bias=False), nn.Linear(shorter, end - start)))

    @torch.no_grad()
    def begin_at(self, counts: Tensor) -> None:
        """Set the biases to the log frequencies of the words, so that training starts from the unigram distribution.

        Args:
            counts: number of times each word is predicted in training, [V]; 0 counts as 1.
        """
        logits = counts.clamp(min=1).to(self.head.bias.dtype).log()
        first = self.bounds[0][0] if self.bounds else len(logits)
        clusters = [logits[start:end] for start, end in self.bounds]
        self.head.bias.copy_(torch.cat((logits[:first], *(cluster.logsumexp(0)[None] for cluster in clusters))).log_softmax(0))
        for tail, cluster in zip(self.tails, clusters, strict=True):
            _, layer = _linears(tail)
            layer.bias.copy_(cluster.log_softmax(0))

    def forward(self, x: Tensor, words: Tensor) -> Loss:
        """Cross-entropy of the words given x, in nats.

        Args:
            x: [N, d].
            words: ids, [N].
        """
        rows, clusters = self._assign(words)
        total = token_loss(x, self.head.weight, self.head.bias, rows).total
        for (start, _), tail, inside in zip(self.bounds, self.tails, clusters, strict=True):
            shorten, layer = _linears(tail)
            total = total + token_loss(shorten(x[inside]), layer.weight, layer.bias, words[inside] - start).total
        return Loss(total, len(words))

    def log_probability(self, x: Tensor, words: Tensor) -> Tensor:
        """Log p(w | x) of each word, [N]; shapes as in `forward`."""
        rows, clusters = self._assign(words)
        result = _pick(self.head(x), rows)
        for (start, _), tail, inside in zip(self.bounds, self.tails, clusters, strict=True):
            result = result.index_add(0, inside, _pick(tail(x[inside]), words[inside] - start))
        return result

    def _assign(self, words: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The first cluster's row for each word, [N], and the indices of the words of each other cluster."""
        rows, clusters = words.clone(), []
        for i, (start, end) in enumerate(self.bounds):
            clusters.append(torch.nonzero((words >= start) & (words < end))[:, 0])
            rows[clusters[-1]] = self.bounds[0][0] + i
        return rows, clusters


def _linears(tail: nn.Module) -> list[nn.Linear]:
    """P_i and A_i of a cluster."""
    return [part for part in tail.children() if isinstance(part, nn.Linear)]


def _pick(logits: Tensor, rows: Tensor) -> Tensor:
    """Log-probability of one entry of each row of logits, [N, size] -> [N]."""
    exact = torch.promote_types(logits.dtype, torch.float32)
    return logits.to(exact).log_softmax(1).gather(1, rows[:, None])[:, 0]
