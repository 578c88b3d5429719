"""Additive attention."""

import torch
from torch import Tensor, nn


class BahdanauAttention(nn.Module):
    """Scores each source position against the decoder's previous state (Appendix A.1.2 of arXiv 1409.0473).

        e_tj     = v_a^T tanh(W_a s_{t-1} + U_a h_j)
        alpha_tj = softmax over j of e_tj
        c_t      = sum over j of alpha_tj h_j

    U_a h_j does not depend on t: `keys` computes it once a sentence.

    Args:
        query_size: size H of the decoder state s.
        memory_size: size M of an annotation h_j.
        attention_size: size A of the hidden layer between them.
    """

    def __init__(self, query_size: int, memory_size: int, attention_size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, attention_size, bias=False)  # W_a
        self.key = nn.Linear(memory_size, attention_size, bias=False)  # U_a
        self.energy = nn.Linear(attention_size, 1, bias=False)  # v_a

    def keys(self, memory: Tensor) -> Tensor:
        """U_a h_j of every position: [B, S, M] -> [B, S, A]."""
        projected: Tensor = self.key(memory)
        return projected

    def forward(self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """One decoding step.

        Args:
            query: W_a s_{t-1}, [B, A] (the caller projects it, together with what else depends on s_{t-1}).
            keys: from `keys`, [B, S, A].
            memory: the annotations, [B, S, M].
            mask: [B, S], True where the source has a unit.

        Returns:
            context c_t [B, M] and weights alpha_t [B, S], zero at the padding.
        """
        energies = self.energy(torch.tanh(query[:, None, :] + keys)).squeeze(2)  # [B, S]
        weights = torch.softmax(energies.masked_fill(~mask, -torch.inf), dim=1)
        context = torch.bmm(weights[:, None, :], memory).squeeze(1)  # [B, 1, S] x [B, S, M]
        return context, weights


class AttentionPooling(nn.Module):
    """A sequence of states as one vector: their mean, weighted by how much each matters.

        e_t     = v^T tanh(W h_t + b)
        alpha_t = softmax over t of e_t
        s       = sum over t of alpha_t h_t

    Equations 5 to 7 of Yang et al. 2016 (https://aclanthology.org/N16-1174): the additive score with a learned v in the place
    of a decoder's question. Lin et al. 2017 (arXiv 1703.03130) have several v beside each other.

    Args:
        state_size: size M of a state h_t.
        attention_size: size A of the hidden layer.
    """

    def __init__(self, state_size: int, attention_size: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(state_size, attention_size)  # W, b
        self.energy = nn.Linear(attention_size, 1, bias=False)  # v

    def forward(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Pool a batch.

        Args:
            states: h_t, [B, T, M].
            mask: [B, T], True where a row has a unit; each has one.

        Returns:
            s [B, M] and weights alpha [B, T], zero at the padding.
        """
        energies = self.energy(torch.tanh(self.hidden(states))).squeeze(2)  # [B, T]
        weights = torch.softmax(energies.masked_fill(~mask, -torch.inf), dim=1)
        return torch.bmm(weights[:, None, :], states).squeeze(1), weights  # [B, 1, T] x [B, T, M]
