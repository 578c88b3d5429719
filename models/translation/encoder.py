"""The encoder, which turns the source into a memory of annotations, and the decoder's first state."""

import torch
from torch import Tensor, nn

from models.dropout import Dropout
from models.names import BridgeName, CellName
from models.recurrent.cells import CELLS
from models.recurrent.layer import Recurrent


class Encoder(nn.Module):
    """A bidirectional recurrent network over the source.

        h_j = [forward state after units 1 .. j; backward state after units S .. j]

    Args:
        embedding: the source's embedding table, [V, d].
        cell: see models.recurrent.cells.
        size: E of each direction.
        layers: L.
        dropout: share of the embedded units' features, and of the outputs between layers, set to zero in training.
    """

    def __init__(self, embedding: nn.Embedding, cell: CellName, size: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.embedding = embedding
        self.dropout = Dropout(dropout)
        self.recurrent = Recurrent(cell, embedding.embedding_dim, size, layers=layers, bidirectional=True, dropout=dropout)

    def forward(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read the source.

        Args:
            source: ids, [B, S].
            lengths: [B].

        Returns:
            Memory [B, S, 2E]: annotations h_j, zero at the padding; the states after the last unit (for the backward direction:
            after the first), [2L, B, E], or for an LSTM [2L, B, 2E].
        """
        memory, final = self.recurrent(self.dropout(self.embedding(source)), lengths)
        return memory, final


class Bridge(nn.Module):
    """The decoder's first state, from the encoder's last states of the same layer.

        zeros   s_0 = 0
        copy    s_0 = [forward state; backward state]
        linear  s_0 = tanh(W [forward state; backward state] + b)

    The paper's linear bridge (Bahdanau et al. 2015, A.2.2) reads only the backward state. For an LSTM, both h and C are bridged.

    Args:
        kind: zeros, copy or linear.
        cell: of encoder and decoder.
        encoder_size: E of each direction.
        hidden_size: H of the decoder.
        layers: L of both.

    Raises:
        ValueError: kind is copy, and H is not 2E.
    """

    def __init__(self, kind: BridgeName, cell: CellName, encoder_size: int, hidden_size: int, layers: int) -> None:
        super().__init__()
        if kind == "copy" and hidden_size != 2 * encoder_size:
            raise ValueError(f"bridge: copy needs hidden_size to be twice encoder_size, not {hidden_size} and {encoder_size}")
        self.kind, self.parts, self.hidden_size, self.layers = kind, CELLS[cell].parts, hidden_size, layers
        linear = [nn.Linear(2 * encoder_size, hidden_size) for _ in range(self.parts * layers)] if kind == "linear" else []
        self.linear = nn.ModuleList(linear)

    def forward(self, final: Tensor) -> Tensor:
        """States [2L, B, S] of the encoder -> s_0 of the decoder, those of its layers side by side, [B, L * S]."""
        if self.kind == "zeros":
            return final.new_zeros(final.shape[1], self.layers * self.parts * self.hidden_size)
        layers = final.chunk(self.layers)  # [2, B, S] each
        ends = [torch.cat((part[0], part[1]), -1) for layer in layers for part in layer.chunk(self.parts, -1)]  # [B, 2E] each
        if self.kind == "linear":
            ends = [torch.tanh(linear(end)) for linear, end in zip(self.linear, ends, strict=True)]
        return torch.cat(ends, -1)
