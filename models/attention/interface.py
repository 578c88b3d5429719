"""The interface of all attentions over a memory, and the weighted mean that all of them compute."""

from typing import Protocol

import torch
from torch import Tensor


class Attention(Protocol):
    """Attention from T queries to the S positions of a memory. It is stateless: nothing is kept between calls.

    Sizes: Q of a query, M of a memory position, K of a key, C of a value.
    """

    context_size: int  # C
    gain: float  # bound of a context's largest component, relative to the memory's; infinite if there is none

    def prepare(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Compute once what does not depend on the queries: memory [B, S, M] -> keys [B, S, K], values [B, S, C]."""

    def __call__(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attend from all queries at once.

        Args:
            query: [B, T, Q].
            keys: from `prepare`, [B, S, K].
            values: from `prepare`, [B, S, C].
            mask: [B, S], False at the memory's padding; each row has at least one True.

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
        mask: [..., 1, S], False at padding.

    Returns:
        c [..., T, C] and alpha [..., T, S], zero where the mask is False.
    """
    weights = torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=-1)
    return weights @ values, weights
