"""A label for a sentence: a recurrent network over pretrained word vectors, and attention over its states."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.attention.pooling import AttentionPooling
from models.loss import Loss
from models.recurrent.dropout import LockedDropout
from models.recurrent.layer import Recurrent
from models.recurrent.names import CellName
from models.recurrent.ragged import length_mask
from models.text.special import PAD


class AttentiveClassifier(nn.Module):
    """Reads the words in both directions and weighs the states by how much they matter for the label.

        h_1 .. h_T = LSTM(E w_1 .. E w_T), in both directions
        alpha      = softmax over t of v^T tanh(W h_t + b)
        scores     = U sum over t of alpha_t h_t + c

    The word level of the hierarchical attention network of Yang et al. 2016 (https://aclanthology.org/N16-1174, section 2.2).

    Args:
        vocabulary_size: V, number of word ids.
        classes: number of labels C.
        embedding_size: d.
        embeddings: frozen leaves the words' vectors as `begin_with` sets them; tuned trains them, too.
        cell: see Recurrent.
        hidden_size: H of each direction.
        attention_size: A, see AttentionPooling.
        input_dropout: share of the word vectors' features set to zero in training, the same ones at every word of a sentence.
        dropout: share of the sentence's features set to zero in training.
        label_smoothing: share of the probability spread over all labels in the training loss.

    Kept with the weights is the `temperature` by which scores are divided to be calibrated: set after training, 1 before.
    """

    temperature: Tensor

    def __init__(
        self,
        *,
        vocabulary_size: int,
        classes: int,
        embedding_size: int,
        embeddings: Literal["frozen", "tuned"],
        cell: CellName,
        hidden_size: int,
        attention_size: int,
        input_dropout: float,
        dropout: float,
        label_smoothing: float,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=PAD)
        self.embedding.weight.requires_grad_(embeddings == "tuned")
        self.recurrent = Recurrent(cell, embedding_size, hidden_size, bidirectional=True)
        self.pooling = AttentionPooling(2 * hidden_size, attention_size)
        self.input_dropout, self.dropout = LockedDropout(input_dropout), nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden_size, classes)
        self.label_smoothing = label_smoothing
        self.register_buffer("temperature", torch.ones(()))

    @torch.no_grad()
    def begin_with(self, vectors: Tensor) -> None:
        """Set the words' vectors to pretrained ones.

        Args:
            vectors: by id, [V, d].

        Raises:
            ValueError: they are of another shape.
        """
        if vectors.shape != self.embedding.weight.shape:
            words, size = self.embedding.weight.shape
            raise ValueError(f"vectors of shape {tuple(vectors.shape)} do not fit {words} words and embedding_size {size}")
        self.embedding.weight.copy_(vectors)

    def logits(self, words: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Unnormalized log-probability of each label, and how much each word counts.

        Args:
            words: ids, [B, T].
            lengths: [B].

        Returns:
            logits [B, C]; weights alpha [B, T], zero at the padding.
        """
        states, _ = self.recurrent(self.input_dropout(self.embedding(words)), lengths)  # [B, T, 2H]
        sentence, weights = self.pooling(states, length_mask(lengths, states.shape[1]))
        return self.output(self.dropout(sentence)), weights

    def forward(self, words: Tensor, words_lengths: Tensor, label: Tensor) -> Loss:
        """Cross-entropy of the labels, in nats. Shapes: [B, T], [B], [B]."""
        smoothing = self.label_smoothing if self.training else 0.0
        logits, _ = self.logits(words, words_lengths)
        return Loss(functional.cross_entropy(logits, label, reduction="sum", label_smoothing=smoothing), len(label))
