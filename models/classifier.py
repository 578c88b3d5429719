"""A label for a text: character GRU."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.loss import Loss, token_loss
from models.recurrent import RaggedGRU, length_mask


class Classifier(nn.Module):
    """Embeds each character and the pair that it makes with the one before, reads them in both directions, and pools.

        x_t    = E c_t + P (c_{t-1}, c_t)
        h_1 .. = GRU(x_1 .. x_T), in both directions
        scores = W [states after the last unit; max over t of h_t; mean over t of h_t] + b

    The pairs give a small training set the sharp features that a table of n-grams has (cf. Bojanowski et al. 2017,
    arXiv 1607.04606); the pooling spares the last state from having to remember how a long name began.

    Args:
        vocabulary_size: V, number of character ids.
        classes: number of labels C.
        embedding_size: d.
        hidden_size: H of each direction.
        input_dropout: share of the embedded characters' features set to zero in training.
        dropout: share of the pooled features set to zero in training.
        label_smoothing: share of the probability spread over all labels in the training loss.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        classes: int,
        embedding_size: int,
        hidden_size: int,
        input_dropout: float,
        dropout: float,
        label_smoothing: float,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.pairs = nn.Embedding(vocabulary_size**2, embedding_size)
        self.gru = RaggedGRU(embedding_size, hidden_size, bidirectional=True)
        self.input_dropout, self.dropout = nn.Dropout(input_dropout), nn.Dropout(dropout)
        self.output = nn.Linear(6 * hidden_size, classes)
        self.label_smoothing = label_smoothing

    def logits(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """Unnormalized log-probability of each label.

        Args:
            characters: ids, BOS first and EOS last, [B, T].
            lengths: [B].

        Returns:
            [B, C].
        """
        scores: Tensor = self.output(self._pooled(characters, lengths))
        return scores

    def _pooled(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """What the output layer reads, [B, 6H]."""
        before = functional.pad(characters[:, :-1], (1, 0))
        embedded = self.embedding(characters) + self.pairs(before * self.embedding.num_embeddings + characters)
        outputs, final = self.gru(self.input_dropout(embedded), lengths)  # [B, T, 2H], [2, B, H]
        padding = ~length_mask(lengths, outputs.shape[1])[:, :, None]
        largest = outputs.masked_fill(padding, -torch.inf).amax(1)
        mean = outputs.sum(1) / lengths[:, None]  # padding is zero
        pooled: Tensor = self.dropout(torch.cat((final[0], final[1], largest, mean), 1))
        return pooled

    def forward(self, characters: Tensor, characters_lengths: Tensor, label: Tensor) -> Loss:
        """Cross-entropy of the labels, in nats. Shapes: [B, T], [B], [B]."""
        return token_loss(
            self._pooled(characters, characters_lengths),
            self.output.weight,
            self.output.bias,
            label,
            label_smoothing=self.label_smoothing if self.training else 0.0,
        )
