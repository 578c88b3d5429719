"""A label for a text: a character GRU beside a table of n-grams."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.loss import Loss
from models.ngrams import NgramScores
from models.recurrent.layer import Recurrent
from models.recurrent.ragged import length_mask


class Classifier(nn.Module):
    """Reads the characters in both directions, pools the states, and adds what the n-grams say by themselves.

        h_1 .. h_T = GRU(E c_1 .. E c_T), in both directions
        scores     = W [states after the last unit; max over t of h_t; mean over t of h_t] + b + n-gram scores

    A wide linear part that memorizes beside a deep one that generalizes (Cheng et al. 2016, arXiv 1606.07792): the n-grams
    are the sharp features that a small training set teaches a recurrent network too slowly; the pooling spares the last
    state from having to remember how a long name began.

    Args:
        vocabulary_size: V, number of character ids.
        classes: number of labels C.
        embedding_size: d.
        hidden_size: H of each direction.
        ngram_buckets: rows of the table of n-grams.
        longest_ngram: their largest n.
        input_dropout: share of the embedded characters' features set to zero in training.
        dropout: share of the pooled features set to zero, and of the n-grams left out, in training.
        label_smoothing: share of the probability spread over all labels in the training loss.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        classes: int,
        embedding_size: int,
        hidden_size: int,
        ngram_buckets: int,
        longest_ngram: int,
        input_dropout: float,
        dropout: float,
        label_smoothing: float,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.gru = Recurrent("gru", embedding_size, hidden_size, bidirectional=True)
        self.ngrams = NgramScores(classes=classes, buckets=ngram_buckets, longest=longest_ngram, dropout=dropout)
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
        scores: Tensor = self.output(self.dropout(self._pooled(characters, lengths))) + self.ngrams(characters, lengths)
        return scores

    def _pooled(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """What the GRU saw, whatever the length, [B, 6H]."""
        outputs, final = self.gru(self.input_dropout(self.embedding(characters)), lengths)  # [B, T, 2H], [2, B, H]
        padding = ~length_mask(lengths, outputs.shape[1])[:, :, None]
        largest = outputs.masked_fill(padding, -torch.inf).amax(1)
        mean = outputs.sum(1) / lengths[:, None]  # padding is zero
        return torch.cat((final[0], final[1], largest, mean), 1)

    def forward(self, characters: Tensor, characters_lengths: Tensor, label: Tensor) -> Loss:
        """Cross-entropy of the labels, in nats. Shapes: [B, T], [B], [B]."""
        smoothing = self.label_smoothing if self.training else 0.0
        logits = self.logits(characters, characters_lengths)
        return Loss(functional.cross_entropy(logits, label, reduction="sum", label_smoothing=smoothing), len(label))
