"""Additive attention: a hidden layer between query and memory gives the score."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.attention.interface import weighted_mean


class BahdanauAttention(nn.Module):
    """Additive attention by Bahdanau, Cho and Bengio 2015 (arXiv 1409.0473, Appendix A.1.2), whose query is s_{t-1}.

        e_tj     = v_a^T tanh(W_a s_{t-1} + U_a h_j)
        alpha_tj = softmax over j of e_tj
        c_t      = sum over j of alpha_tj h_j

    See Attention for the interface. A key is U_a h_j, of size A; a value is h_j.

    Args:
        query_size: size Q of the decoder's state s.
        memory_size: size M of an annotation h_j.
        attention_size: size A of the hidden layer.
    """

    gain = 1.0

    def __init__(self, query_size: int, memory_size: int, attention_size: int) -> None:
        super().__init__()
        self.context_size = memory_size
        self.query = nn.Linear(query_size, attention_size, bias=False)  # W_a
        self.key = nn.Linear(memory_size, attention_size, bias=False)  # U_a
        self.energy = nn.Linear(attention_size, 1, bias=False)  # v_a

    def prepare(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys U_a h_j, and h_j itself: [B, S, M] -> [B, S, A], [B, S, M]."""
        return self.key(memory), memory

    def forward(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See Attention."""
        return weighted_mean(_scores(self.query(query), keys, self.energy), values, mask[:, None])


class ConcatAttention(nn.Module):
    """The concat score of Luong, Pham and Manning 2015 (arXiv 1508.04025, equation 8), whose query is h_t.

        score(h_t, h_s) = v_a^T tanh(W_a [h_t; h_s])

    W_a [h_t; h_s] is a sum of two products: the columns of W_a for h_t times h_t, and the columns for h_s times h_s.
    BahdanauAttention gives the same score if these two blocks are its W_a and U_a. See Attention for the interface; a key is the
    second product, a value is h_s.

    Args:
        query_size: size Q of the decoder's state h_t.
        memory_size: size M of a source state h_s.
        attention_size: size A of the hidden layer.
    """

    gain = 1.0

    def __init__(self, query_size: int, memory_size: int, attention_size: int) -> None:
        super().__init__()
        self.context_size, self.query_size = memory_size, query_size
        self.hidden = nn.Linear(query_size + memory_size, attention_size, bias=False)  # W_a
        self.energy = nn.Linear(attention_size, 1, bias=False)  # v_a

    def prepare(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys, the columns of W_a for h_s times h_s, and h_s itself: [B, S, M] -> [B, S, A], [B, S, M]."""
        return functional.linear(memory, self.hidden.weight[:, self.query_size :]), memory

    def forward(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See Attention."""
        projected = functional.linear(query, self.hidden.weight[:, : self.query_size])
        return weighted_mean(_scores(projected, keys, self.energy), values, mask[:, None])


def _scores(query: Tensor, keys: Tensor, energy: nn.Linear) -> Tensor:
    """v^T tanh(q_t + k_s) of every pair: [B, T, A], [B, S, A] -> [B, T, S]."""
    scores: Tensor = energy(torch.tanh(query[:, :, None] + keys[:, None])).squeeze(3)  # of [B, T, S, A]
    return scores
