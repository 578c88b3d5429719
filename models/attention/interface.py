"""What every attention over a memory can be asked, and the weighted mean in which all of them end."""

from typing import Protocol

import torch
from torch import Tensor


class Attention(Protocol):
    """Answers T queries from the S positions of a memory, and keeps nothing from one call to the next.

    Sizes: Q of a query, M of a memory's position, K of a key, C of a value.
    """

    context_size: int  # C
    gain: float  # how much larger a context's largest component can be than the memory's; infinite where nothing bounds it

    def prepare(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """What does not depend on the queries, to be computed once: memory [B, S, M] -> keys [B, S, K], values [B, S, C]."""

    def __call__(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Answer all queries at once.

        Args:
            query: [B, T, Q].
            keys: from `prepare`, [B, S, K].
            values: from `prepare`, [B, S, C].
            mask: [B, S], True where the memory has a unit; each row has one.

        Returns:
            context [B, T, C] and weights [B, T, S], zero at the memory's padding.
        """


def weighted_mean(scores: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of the values, weighted by the softmax of their scores.

        alpha_ts = exp(e_ts) / sum over s' of exp(e_ts')
        c_t      = sum over s of alpha_ts v_s

    Args:
        scores: e, [..., T, S].
        values: v, [..., S, C].
        mask: [..., 1, S], True where there is a value.

    Returns:
        c [..., T, C] and alpha [..., T, S], zero where the mask is False.
    """
    weights = torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=-1)
    return weights @ values, weights
