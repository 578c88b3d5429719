"""A conditional recurrent language model (Mikolov et al. 2010) over characters: label -> text."""

import torch
from torch import Tensor, nn

from models.dropout import Dropout, LockedDropout
from models.loss import Loss, token_loss
from models.names import CellName
from models.recurrent.layer import Recurrent
from models.recurrent.ragged import length_mask
from models.recurrent.truncated import truncated
from models.text.special import PAD


class LanguageModel(nn.Module):
    """p(x_1 .. x_T | label) as a product over t of p(x_t | x_1 .. x_{t-1}, label). The label's vector is part of every input.

    Args:
        vocabulary_size: V, number of character ids.
        labels: number of labels.
        embedding_size: d, of a character.
        label_size: size of a label's vector.
        hidden_size: H.
        cell: see models.recurrent.cells.
        dropout: share of the network's inputs and outputs set to zero in training.
        locked: use the same dropout mask at every step of a text; see LockedDropout.
        weight_dropout: share of the recurrent weights set to zero in training; see Recurrent.
        tied: use the characters' vectors as the output layer's weights, after a linear layer from H to d (Press and Wolf 2017,
            arXiv 1608.05859; Inan et al. 2017, arXiv 1611.01462).
        truncation: units over which gradients flow back in training, see models.recurrent.truncated; 0: whole texts.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        labels: int,
        cell: CellName,
        embedding_size: int,
        label_size: int,
        hidden_size: int,
        dropout: float,
        locked: bool,
        weight_dropout: float,
        tied: bool,
        truncation: int,
    ) -> None:
        super().__init__()
        self.truncation = truncation
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=PAD)
        self.label = nn.Embedding(labels, label_size)
        self.rnn = Recurrent(cell, embedding_size + label_size, hidden_size, weight_dropout=weight_dropout)
        self.dropout = LockedDropout(dropout) if locked else Dropout(dropout)
        self.readout = nn.Linear(hidden_size, embedding_size) if tied else nn.Identity()
        self.output = nn.Linear(embedding_size if tied else hidden_size, vocabulary_size)
        if tied:
            nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)  # keeps the first logits near unit variance
            self.output.weight = self.embedding.weight

    def logits(self, characters: Tensor, lengths: Tensor, label: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Unnormalized log-probability of each next character.

        Args:
            characters: ids, BOS first, [B, T].
            lengths: [B].
            label: [B].
            state: before the first character [B, S], zeros if None; pass the returned one to continue the same texts.

        Returns:
            logits [B, T, V]; state after the last character, [B, S].
        """
        outputs, final = self._states(characters, lengths, label, state)
        return self.output(outputs), final

    def _states(self, characters: Tensor, lengths: Tensor, label: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """The output layer's inputs, from h_1 .. h_T, and the state after them [B, S]."""
        condition = self.label(label)[:, None, :].expand(-1, characters.shape[1], -1)  # [B, T, label_size]
        inputs = self.dropout(torch.cat((self.embedding(characters), condition), -1))
        first = None if state is None else state[None]
        if self.training and self.truncation:
            outputs, final = truncated(self.rnn, inputs, lengths, first, self.truncation)
        else:
            outputs, final = self.rnn(inputs, lengths, first)
        return self.readout(self.dropout(outputs)), final[0]

    def forward(self, characters: Tensor, characters_lengths: Tensor, label: Tensor) -> Loss:
        """Cross-entropy of each character and of EOS given the previous ones, in nats.

        Args:
            characters: BOS first and EOS last, [B, T].
            characters_lengths: [B].
            label: [B].
        """
        states, _ = self._states(characters[:, :-1], characters_lengths - 1, label, None)
        scored = length_mask(characters_lengths - 1, states.shape[1])
        return token_loss(states[scored], self.output.weight, self.output.bias, characters[:, 1:][scored])
