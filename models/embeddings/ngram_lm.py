"""The neural probabilistic language model (Bengio et al. 2003, JMLR 3:1137-1155)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.embeddings.adaptive_softmax import AdaptiveSoftmax
from models.embeddings.tied_softmax import TiedSoftmax
from models.loss import Loss
from models.recurrent.ragged import length_mask

ROWS_AT_ONCE = 512  # rows whose logits are in memory at once when single probabilities are computed


class NgramLM(nn.Module):
    """A multilayer perceptron over the vectors of the previous n - 1 words that scores the next word (equation 1).

        y = b + W x + U tanh(d + H x)
        p(w_t | w_{t-n+1} .. w_{t-1}) = softmax(y)

    x is the concatenation of the words' rows of C, trained with the rest. W, optional, connects x directly to the output. Not in
    the paper: dropout (Srivastava et al. 2014); cutoffs, with which U and W belong to an adaptive softmax; and tying, which
    makes C their last factor.

    Args:
        vocabulary_size: |V|, number of word ids; the frequent ones first if there are cutoffs.
        order: n, counting the predicted word.
        embedding_size: m, of a word's vector.
        hidden_size: h, number of hidden units.
        direct: whether to use W.
        dropout: share of x and of the hidden units set to zero in training.
        cutoffs: of the adaptive softmax; empty for a plain softmax.
        tied: whether the output layer shares C; cannot be combined with cutoffs.

    Raises:
        ValueError: both cutoffs and tying are set.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        order: int,
        embedding_size: int,
        hidden_size: int,
        direct: bool,
        dropout: float,
        cutoffs: Sequence[int] = (),
        tied: bool = False,
    ) -> None:
        super().__init__()
        if tied and cutoffs:
            raise ValueError("cutoffs and tied cannot be combined: with cutoffs, rare words have shorter vectors")
        self.order, self.direct = order, direct
        size = (order - 1) * embedding_size
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)  # C
        self.hidden = nn.Linear(size, hidden_size)  # H and d
        read = hidden_size + direct * size
        self.output = TiedSoftmax(read, self.embedding) if tied else AdaptiveSoftmax(read, vocabulary_size, cutoffs)  # [U, W], b
        if tied:
            nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)  # keeps the first logits near unit variance
        self.dropout = nn.Dropout(dropout)

    def features(self, context: Tensor) -> Tensor:
        """Input of the output layer: tanh(d + H x), with direct connections followed by x.

        Args:
            context: ids of the previous words, oldest first, [N, n - 1].

        Returns:
            [N, h] or [N, h + (n - 1) m].
        """
        x = self.dropout(self.embedding(context).flatten(1))
        hidden = self.dropout(torch.tanh(self.hidden(x)))
        return torch.cat((hidden, x), 1) if self.direct else hidden

    def forward(self, words: Tensor, words_lengths: Tensor) -> Loss:
        """Cross-entropy of the words of each row, except its first n - 1, in nats.

        Args:
            words: [B, T].
            words_lengths: [B], each at least n.
        """
        context, word = self._predicted(words, words_lengths)
        loss: Loss = self.output(self.features(context), word)
        return loss

    @torch.no_grad()
    def log_probability(self, words: Tensor, words_lengths: Tensor) -> Tensor:
        """Log-probability of each word that `forward` scores, row after row, [N], in nats."""
        context, word = self._predicted(words, words_lengths)
        parts = [slice(start, start + ROWS_AT_ONCE) for start in range(0, len(word), ROWS_AT_ONCE)]
        return torch.cat([self.output.log_probability(self.features(context[part]), word[part]) for part in parts])

    def _predicted(self, words: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The context of each word to predict [N, n - 1], and these words [N]."""
        ngrams = words.unfold(1, self.order, 1)  # [B, T - n + 1, n]
        ngrams = ngrams[length_mask(lengths - self.order + 1, ngrams.shape[1])]  # [N, n]
        return ngrams[:, :-1], ngrams[:, -1]
