"""Scores from a text's character n-grams: logistic regression with a hashed table, to be added to a network's scores."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.recurrent.ragged import length_mask
from models.text.special import PAD

MULTIPLIER, MODULUS = 1_000_003, 2**31 - 1  # of the polynomial hash; the sum of its terms fits in 64 bits
SCALE = 4.0  # AdamW steps by about the learning rate whatever the gradient: the scale makes the table's steps larger


class NgramScores(nn.Module):
    """A linear layer on the set of n-grams of a text, n = 1 to `longest`.

        scores = SCALE / sqrt(|G|) * sum over g in G of w_{hash(g)}

    with G the n-grams that remain after dropout. n-grams share a row of the table if their hashes collide (Weinberger et al.
    2009, arXiv 0902.2206).

    Args:
        classes: number of labels C.
        buckets: rows of the table.
        longest: largest n.
        dropout: share of the n-grams dropped in training.
    """

    def __init__(self, *, classes: int, buckets: int, longest: int, dropout: float) -> None:
        super().__init__()
        self.longest, self.dropout = longest, dropout
        self.table = nn.Embedding(buckets + 1, classes, padding_idx=PAD)  # row PAD stands for no n-gram
        nn.init.zeros_(self.table.weight)

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """Scores of a batch: [B, C] from ids [B, T] and their lengths [B]."""
        kept = characters.masked_fill(~length_mask(lengths, characters.shape[1]), PAD)
        rows = ngram_rows(kept, self.longest, self.table.num_embeddings - 1)  # [B, T * longest]
        if self.training:
            rows = rows.masked_fill(torch.rand(rows.shape, device=rows.device) < self.dropout, PAD)
        count = (rows != PAD).sum(1, keepdim=True).clamp(min=1)
        scores: Tensor = SCALE * self.table(rows).sum(1) / count.sqrt()
        return scores


def ngram_rows(characters: Tensor, longest: int, buckets: int) -> Tensor:
    """The table row of each n-gram, by its end position.

    Args:
        characters: ids, padded with PAD at the end, [B, T].
        longest: largest n.
        buckets: number of rows, 1 to `buckets`.

    Returns:
        [B, T * longest], at each position n = 1 first; PAD if no full n-gram ends there.
    """
    steps, device = torch.arange(longest), characters.device
    # Recursively: hash(n-gram) = hash(n-gram without its first character) * MULTIPLIER + this character. Here in one product:
    powers = torch.tensor([[pow(MULTIPLIER, n - k, MODULUS) if k <= n else 0 for n in range(longest)] for k in range(longest)])
    places = torch.arange(characters.shape[1], device=device)[:, None] + (longest - 1 - steps).to(device)
    windows = functional.pad(characters, (longest - 1, 0), value=PAD)[:, places]  # [B, T, k], the character k places before
    codes = (windows[..., None] * powers.to(device)).sum(2) % MODULUS  # [B, T, n]
    whole = (windows != PAD) & (characters != PAD)[..., None]
    return torch.where(whole, codes % buckets + 1, PAD).flatten(1)
