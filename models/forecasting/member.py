"""One network over the last days of a series, plus a linear part."""

import torch
from torch import Tensor, nn

from models.attention.family import ATTENTIONS
from models.attention.interface import Attention
from models.dropout import Dropout
from models.names import CellName, DaysName
from models.recurrent.layer import Recurrent
from models.recurrent.ragged import length_mask


class Member(nn.Module):
    """Recurrent layers over the days, attention from the last state, and a linear part on means of the past.

        h_1 .. h_L = RNN(x_1 .. x_L)
        c          = attention(h_L, h)            (Bahdanau et al. 2015, h_L is the query), or the states' mean, or nothing
        z          = V [h_L; c] + W m + b

    V is initially zero, so that training starts from the linear part alone.

    Args:
        cell: see Recurrent.
        steps: F, features of a day.
        linear_size: K of m; 0: no linear part.
        hidden_size: H.
        layers: see Recurrent.
        attention: over the days: one of models.attention, `uniform` for the mean of all, `last` for none.
        attention_size: A.
        dropout: share of [h_L; c] set to zero in training.
        outputs: O.
    """

    def __init__(
        self,
        *,
        cell: CellName,
        steps: int,
        linear_size: int,
        hidden_size: int,
        layers: int,
        attention: DaysName,
        attention_size: int,
        dropout: float,
        outputs: int,
    ) -> None:
        super().__init__()
        self.recurrent = Recurrent(cell, steps, hidden_size, layers=layers)
        self.pooling = attention
        self.attention: Attention | None = None
        context = 0 if attention == "last" else hidden_size
        if attention != "last" and attention != "uniform":
            self.attention = ATTENTIONS[attention](hidden_size, hidden_size, attention_size, 1)
            context = self.attention.context_size
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(hidden_size + context, outputs, bias=False)  # V
        nn.init.zeros_(self.output.weight)
        self.linear = nn.Linear(linear_size, outputs)  # W, b

    def forward(self, days: Tensor, lengths: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
        """Read a batch.

        Args:
            days: x, [B, L, F].
            lengths: [B].
            means: m, [B, K].

        Returns:
            z [B, O], and the weights of the days [B, L], zero at the padding.
        """
        states, final = self.recurrent(days, lengths)
        last, mask = final[-1][:, : self.recurrent.hidden_size], length_mask(lengths, days.shape[1])
        context, weights = self._context(last, states, mask)
        read = self.dropout(torch.cat((last, context), 1) if self.pooling != "last" else last)
        return self.output(read) + self.linear(means), weights

    def _context(self, last: Tensor, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """C [B, H] (of multihead [B, A]) and its weights [B, L]."""
        if self.attention is not None:
            context, weights = self.attention(last[:, None], *self.attention.prepare(states), mask)
            return context[:, 0], weights[:, 0]
        if self.pooling == "uniform":
            weights = mask / mask.sum(1, keepdim=True)
            return (weights[:, None] @ states)[:, 0], weights
        position = torch.arange(mask.shape[1], device=mask.device)
        return last, (position[None] == mask.sum(1, keepdim=True) - 1).to(last.dtype)
