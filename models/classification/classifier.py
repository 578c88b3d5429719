"""Text classifier: a recurrent network over characters, plus a table of n-grams."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.dropout import Dropout
from models.loss import Loss
from models.names import CellName
from models.ngrams import NgramScores
from models.recurrent.layer import Recurrent
from models.recurrent.ragged import length_mask


class Classifier(nn.Module):
    """A recurrent network over characters with pooled states, plus a linear model of n-grams.

        h_1 .. h_T = RNN(E c_1 .. E c_T), of any cell and depth, in one direction or both
        scores     = W [h after the last unit; max over t of h_t; mean over t of h_t] + b + n-gram scores

    A wide linear part memorizes, and a deep part generalizes (Cheng et al. 2016, arXiv 1606.07792). The n-grams are sharp
    features, which a recurrent network learns too slowly from a small training set. With pooling, the last state need not
    remember the beginning of a long name.

    Two buffers are set from data and saved with the weights. `class_weights` [C] multiply each label's loss in training.
    `temperature`, set after training, divides the scores to calibrate them. Both are 1 initially.

    Args:
        vocabulary_size: V, number of character ids.
        classes: number of labels C.
        cell: see models.recurrent.cells.
        embedding_size: d.
        hidden_size: H of each direction.
        layers: depth.
        bidirectional: also read from the last character to the first.
        ngram_buckets: rows of the table of n-grams.
        longest_ngram: largest n.
        input_dropout: share of the embedded characters' features set to zero in training.
        dropout: share of the pooled features set to zero, and of the n-grams left out, in training.
        label_smoothing: share of the probability spread over all labels in the training loss.
    """

    class_weights: Tensor
    temperature: Tensor

    def __init__(
        self,
        *,
        vocabulary_size: int,
        classes: int,
        cell: CellName,
        embedding_size: int,
        hidden_size: int,
        layers: int,
        bidirectional: bool,
        ngram_buckets: int,
        longest_ngram: int,
        input_dropout: float,
        dropout: float,
        label_smoothing: float,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.rnn = Recurrent(cell, embedding_size, hidden_size, layers=layers, bidirectional=bidirectional, dropout=dropout)
        self.ngrams = NgramScores(classes=classes, buckets=ngram_buckets, longest=longest_ngram, dropout=dropout)
        self.input_dropout, self.dropout = Dropout(input_dropout), Dropout(dropout)
        self.output = nn.Linear(3 * self.rnn.directions * hidden_size, classes)
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", torch.ones(classes))
        self.register_buffer("temperature", torch.ones(()))

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
        """Features of a fixed size from the states of all steps: [B, 3 D H], D directions."""
        outputs, final = self.rnn(self.input_dropout(self.embedding(characters)), lengths)  # [B, T, DH], [LD, B, S]
        ends = final[-self.rnn.directions :, :, : outputs.shape[2] // self.rnn.directions]  # only h of an LSTM's state
        padding = ~length_mask(lengths, outputs.shape[1])[:, :, None]
        largest = outputs.masked_fill(padding, -torch.inf).amax(1)
        mean = outputs.sum(1) / lengths[:, None]  # padding is zero
        return torch.cat((*ends, largest, mean), 1)

    def forward(self, characters: Tensor, characters_lengths: Tensor, label: Tensor) -> Loss:
        """Cross-entropy of the labels, in nats. Shapes: [B, T], [B], [B]."""
        smoothing = self.label_smoothing if self.training else 0.0
        logits = self.logits(characters, characters_lengths)
        weights = self.class_weights if self.training else None
        total = functional.cross_entropy(logits, label, weights, reduction="sum", label_smoothing=smoothing)
        return Loss(total, len(label))
