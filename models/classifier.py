"""A label for a text: character GRU."""

from torch import Tensor, nn

from models.loss import Loss, token_loss
from models.recurrent import RaggedGRU
from models.text.special import PAD


class Classifier(nn.Module):
    """Embeds the characters, reads them with a GRU, and classifies from the state after the last one.

    Args:
        vocabulary_size: V, number of character ids.
        classes: number of labels C.
        embedding_size: d.
        hidden_size: H.
        dropout: share of embedded characters' features and of the final state's set to zero in training.
    """

    def __init__(self, *, vocabulary_size: int, classes: int, embedding_size: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=PAD)
        self.gru = RaggedGRU(embedding_size, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, classes)

    def logits(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """Unnormalized log-probability of each label.

        Args:
            characters: ids, [B, T].
            lengths: [B].

        Returns:
            [B, C].
        """
        scores: Tensor = self.output(self._last_state(characters, lengths))
        return scores

    def _last_state(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """h_T of each row, [B, H]."""
        _, final = self.gru(self.dropout(self.embedding(characters)), lengths)  # [1, B, H]
        state: Tensor = self.dropout(final[0])
        return state

    def forward(self, characters: Tensor, characters_lengths: Tensor, label: Tensor) -> Loss:
        """Cross-entropy of the labels, in nats. Shapes: [B, T], [B], [B]."""
        state = self._last_state(characters, characters_lengths)
        return token_loss(state, self.output.weight, self.output.bias, label)
