"""Sentence classifier on pretrained word vectors."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.embeddings.elmo import ScalarMix
from models.loss import Loss
from models.recurrent.layer import Recurrent
from models.recurrent.ragged import length_mask


class SentenceClassifier(nn.Module):
    """Bidirectional GRU on frozen word vectors, concatenated with contextual vectors if given.

        x_t        = [v_t; mix of the layers of occurrence t]
        h_1 .. h_T = GRU(x_1 .. x_T), in both directions
        scores     = W [max over t of h_t; mean over t of h_t] + b

    The weights of the mix are the only trained parameters on the contextual vectors (section 3.3 of arXiv 1802.05365).

    Args:
        vectors: word vectors by id, [V, d]; not trained.
        layers: contextual vectors of every occurrence of a word in the data, [N, L, 2d'], or None; not trained.
        classes: number of labels.
        hidden_size: H of each direction.
        dropout: dropout rate of the inputs and of the pooled states.
    """

    vectors: Tensor
    layers: Tensor | None

    def __init__(self, *, vectors: Tensor, layers: Tensor | None, classes: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("vectors", vectors, persistent=False)
        self.register_buffer("layers", layers, persistent=False)
        self.mix = None if layers is None else ScalarMix(layers.shape[1])
        size = vectors.shape[1] + (0 if layers is None else layers.shape[2])
        self.gru = Recurrent("gru", size, hidden_size, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(4 * hidden_size, classes)

    def logits(self, words: Tensor, lengths: Tensor, occurrences: Tensor) -> Tensor:
        """Unnormalized log-probabilities, [B, classes].

        Args:
            words: ids, [B, T].
            lengths: [B].
            occurrences: rows of `layers`, [B, T]; ignored without contextual vectors.
        """
        x = self.vectors[words]  # [B, T, d]
        if self.mix is not None and self.layers is not None:
            layers = self.layers[occurrences].to(x.dtype)  # [B, T, L, 2d']
            x = torch.cat((x, self.mix(layers.movedim(2, 0))), -1)
        states, _ = self.gru(self.dropout(x), lengths)  # zero at the padding
        padding = ~length_mask(lengths, states.shape[1])[:, :, None]
        largest, mean = states.masked_fill(padding, -torch.inf).amax(1), states.sum(1) / lengths[:, None]
        scores: Tensor = self.output(self.dropout(torch.cat((largest, mean), 1)))
        return scores

    def forward(
        self, words: Tensor, words_lengths: Tensor, occurrences: Tensor, occurrences_lengths: Tensor, label: Tensor
    ) -> Loss:
        """Cross-entropy of the labels [B], in nats; `occurrences_lengths` equal `words_lengths`."""
        del occurrences_lengths
        logits = self.logits(words, words_lengths, occurrences)
        return Loss(functional.cross_entropy(logits, label, reduction="sum"), len(label))
