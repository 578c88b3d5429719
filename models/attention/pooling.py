"""Attention pooling."""

import torch
from torch import Tensor, nn

from models.attention.interface import weighted_mean


class AttentionPooling(nn.Module):
    """Pools a sequence of states into one vector: their mean, weighted by a learned score.

        e_t     = v^T tanh(W h_t + b)
        alpha_t = softmax over t of e_t
        s       = sum over t of alpha_t h_t

    Equations 5 to 7 of Yang et al. 2016 (https://aclanthology.org/N16-1174): the additive score with a learned v
    instead of a decoder's query. Lin et al. 2017 (arXiv 1703.03130) use several such v.

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
            mask: [B, T], False at padding; each row has at least one True.

        Returns:
            s [B, M] and weights alpha [B, T], zero at the padding.
        """
        energies = self.energy(torch.tanh(self.hidden(states))).mT  # [B, 1, T]
        pooled, weights = weighted_mean(energies, states, mask[:, None])
        return pooled[:, 0], weights[:, 0]
