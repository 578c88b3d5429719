"""Scores from a text's character n-grams: logistic regression with a hashed table, as a part that a network can add."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.recurrent.ragged import length_mask
from models.text.special import PAD

MULTIPLIER, MODULUS = 1_000_003, 2**31 - 1  # of the polynomial hash; a step of it fits in 64 bits
SCALE = 4.0  # AdamW steps by about the learning rate whatever the gradient: the scale makes a step of the table a larger one


class NgramScores(nn.Module):
    """A linear layer on the set of n-grams of a text, n = 1 to `longest`.

        scores = SCALE / sqrt(|G|) * sum over g in G of w_{hash(g)}

    with G the n-grams that dropout has left. n-grams share a row of the table where their hashes meet (Weinberger et al.
    2009, arXiv 0902.2206).

    Args:
        classes: number of labels C.
        buckets: rows of the table.
        longest: largest n.
        dropout: share of the n-grams left out in training.
    """

    def __init__(self, *, classes: int, buckets: int, longest: int, dropout: float) -> None:
        super().__init__()
        self.longest, self.dropout = longest, dropout
        self.table = nn.Embedding(buckets + 1, classes, padding_idx=PAD)  # row PAD is that of no n-gram
        nn.init.zeros_(self.table.weight)

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """Scores of a batch: [B, C] from ids [B, T] and their lengths [B]."""
        kept = characters.masked_fill(~length_mask(lengths, characters.shape[1]), PAD)
        rows = ngram_rows(kept, self.longest, self.table.num_embeddings - 1)  # [B, longest * T]
        if self.training:
            rows = rows.masked_fill(torch.rand(rows.shape, device=rows.device) < self.dropout, PAD)
        count = (rows != PAD).sum(1, keepdim=True).clamp(min=1)
        scores: Tensor = SCALE * self.table(rows).sum(1) / count.sqrt()
        return scores


def ngram_rows(characters: Tensor, longest: int, buckets: int) -> Tensor:
    """The table row of each n-gram, by where it ends.

    Args:
        characters: ids, padded with PAD at the end, [B, T].
        longest: largest n.
        buckets: rows to spread them over: 1 to `buckets`.

    Returns:
        [B, longest * T], n = 1 first; PAD where no whole n-gram ends.
    """
    code, whole = characters, characters != PAD
    rows = [torch.where(whole, code % buckets + 1, PAD)]
    for n in range(1, longest):
        earlier = functional.pad(characters, (n, 0), value=PAD)[:, : characters.shape[1]]  # the character n places before
        code, whole = (code * MULTIPLIER + earlier) % MODULUS, whole & (earlier != PAD)
        rows.append(torch.where(whole, code % buckets + 1, PAD))
    return torch.cat(rows, 1)
