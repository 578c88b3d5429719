"""Sentence classifier: a recurrent network over token vectors, with attention pooling over its states."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.attention.pooling import AttentionPooling
from models.dropout import LockedDropout
from models.loss import Loss
from models.names import CellName
from models.ngrams import NgramScores
from models.recurrent.layer import Recurrent
from models.recurrent.ragged import length_mask
from models.text.special import PAD


class AttentiveClassifier(nn.Module):
    """A bidirectional recurrent network with attention pooling, plus a linear model of n-grams.

        h_1 .. h_T = LSTM(E w_1 .. E w_T), in both directions
        alpha      = softmax over t of v^T tanh(W h_t + b)
        scores     = U sum over t of alpha_t h_t + c + n-gram scores

    The word level of the hierarchical attention network of Yang et al. 2016 (https://aclanthology.org/N16-1174, section 2.2),
    plus a wide linear part as in models.classification.classifier, which learns words and word pairs from fewer rows.

    Args:
        vocabulary_size: V, number of token ids; tokens are words or subwords.
        classes: number of labels C.
        embedding_size: d.
        embeddings: frozen keeps the token vectors that `begin_with` sets; tuned trains them.
        cell: see Recurrent.
        hidden_size: H of each direction.
        attention_size: A, see AttentionPooling.
        ngram_buckets: rows of the table of token n-grams.
        longest_ngram: largest n.
        input_dropout: share of the vectors' features set to zero in training, the same ones for every token of a sentence.
        dropout: share of the sentence's features set to zero in training.
        label_smoothing: share of the probability spread over all labels in the training loss.

    Two buffers are set from data and saved with the weights. `class_weights` [C] multiply each label's loss in training.
    `temperature`, set after training, divides the scores to calibrate them. Both are 1 initially.
    """

    class_weights: Tensor
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
        ngram_buckets: int,
        longest_ngram: int,
        input_dropout: float,
        dropout: float,
        label_smoothing: float,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=PAD)
        self.embedding.weight.requires_grad_(embeddings == "tuned")
        self.recurrent = Recurrent(cell, embedding_size, hidden_size, bidirectional=True)
        self.pooling = AttentionPooling(2 * hidden_size, attention_size)
        self.ngrams = NgramScores(classes=classes, buckets=ngram_buckets, longest=longest_ngram, dropout=dropout)
        self.input_dropout, self.dropout = LockedDropout(input_dropout), nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden_size, classes)
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", torch.ones(classes))
        self.register_buffer("temperature", torch.ones(()))

    @torch.no_grad()
    def begin_with(self, vectors: Tensor) -> None:
        """Initialize the token vectors with pretrained ones.

        Args:
            vectors: by id, [V, d].

        Raises:
            ValueError: their shape is not [V, d].
        """
        if vectors.shape != self.embedding.weight.shape:
            words, size = self.embedding.weight.shape
            raise ValueError(f"vectors of shape {tuple(vectors.shape)} do not fit {words} words and embedding_size {size}")
        self.embedding.weight.copy_(vectors)

    def logits(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Unnormalized log-probability of each label, and the weight of each token.

        Args:
            tokens: ids, [B, T].
            lengths: [B].

        Returns:
            logits [B, C]; weights alpha [B, T], zero at the padding.
        """
        states, _ = self.recurrent(self.input_dropout(self.embedding(tokens)), lengths)  # [B, T, 2H]
        sentence, weights = self.pooling(states, length_mask(lengths, states.shape[1]))
        return self.output(self.dropout(sentence)) + self.ngrams(tokens, lengths), weights

    def forward(self, tokens: Tensor, tokens_lengths: Tensor, label: Tensor) -> Loss:
        """Cross-entropy of the labels, in nats. Shapes: [B, T], [B], [B]."""
        smoothing = self.label_smoothing if self.training else 0.0
        logits, _ = self.logits(tokens, tokens_lengths)
        weights = self.class_weights if self.training else None
        loss = functional.cross_entropy(logits, label, weights, reduction="sum", label_smoothing=smoothing)
        return Loss(loss, len(label))
