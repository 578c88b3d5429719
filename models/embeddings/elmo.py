"""Word vectors that depend on the sentence: a small ELMo (Peters et al. 2018, arXiv 1802.05365)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.embeddings.adaptive_softmax import AdaptiveSoftmax
from models.embeddings.character_cnn import CharacterCNN
from models.loss import Loss
from models.recurrent.layer import Recurrent
from models.recurrent.ragged import length_mask, turn
from models.text.special import UNK

LSTM_LAYERS = 2


class LSTMStack(nn.Module):
    """Two LSTM layers with a residual connection: the second layer's output is added to the first one's.

    Args:
        size: d, of the inputs and of both layers' states.
        dropout: share of each layer's inputs set to zero in training.
    """

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Recurrent("lstm", size, size) for _ in range(LSTM_LAYERS))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, d] and [B] -> the states of the first layer and those of the second, [B, T, d] each."""
        first, second = self.layers
        low, _ = first(self.dropout(x), lengths)
        high, _ = second(self.dropout(low), lengths)
        return low, low + high


class ELMo(nn.Module):
    """Two language models over one sentence, forward and backward, from characters to the words to predict.

        p(t_k | t_1 .. t_{k-1}) and p(t_k | t_{k+1} .. t_N)

    share the words' vectors x_k and the softmax; each direction has its own two-layer LSTM (section 3.1). The vectors of
    word k are [x_k; x_k] and the states of both directions at word k, [forward h_kj; backward h_kj], for j = 1, 2.

    Args:
        spellings: of the words of the training data by id, special tokens first, models.text.spelling's table [V, C]. Not a
            weight: the model can read words outside of it, but cannot train on them.
        targets: number of words in the softmax: those with the lowest ids. The others are predicted as UNK.
        cutoffs: of the adaptive softmax; empty for a plain softmax.
        characters: number of character ids.
        character_size: of a character's vector.
        filters: of `CharacterCNN`.
        highways: of `CharacterCNN`.
        size: d, of a word's vector in each direction.
        dropout: share of each LSTM's inputs and of the softmax's inputs set to zero in training.
    """

    spellings: Tensor

    def __init__(
        self,
        *,
        spellings: Tensor,
        targets: int,
        cutoffs: Sequence[int],
        characters: int,
        character_size: int,
        filters: Sequence[int],
        highways: int,
        size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.register_buffer("spellings", spellings, persistent=False)
        self.words = CharacterCNN(
            characters=characters, character_size=character_size, filters=filters, highways=highways, size=size
        )
        self.ahead, self.back = LSTMStack(size, dropout), LSTMStack(size, dropout)
        self.dropout = nn.Dropout(dropout)
        self.targets = targets
        self.output = AdaptiveSoftmax(size, targets, cutoffs)

    def layers(self, spellings: Tensor, lengths: Tensor) -> Tensor:
        """Vectors of each word of each sentence.

        Args:
            spellings: of the words, with those of BOS and EOS at the ends, [B, T, C].
            lengths: [B], BOS and EOS included.

        Returns:
            [3, B, T, 2d]: from the characters alone, of the first LSTM layer, of the second; zero at the padding.
        """
        x = self.words(spellings.flatten(0, 1)).unflatten(0, spellings.shape[:2])
        ahead, back = self._states(x, lengths)
        stacked = torch.stack([torch.cat(pair, -1) for pair in zip((x, *ahead), (x, *back), strict=True)])
        return stacked * length_mask(lengths, x.shape[1])[:, :, None]

    def forward(self, words: Tensor, words_lengths: Tensor) -> Loss:
        """Cross-entropy of each word but the first given those before, and of each but the last given those after, in nats.

        Args:
            words: ids, BOS first and EOS last, [B, T].
            words_lengths: [B].
        """
        distinct, where = torch.unique(words, return_inverse=True)  # the character CNN runs once per distinct word
        (_, ahead), (_, back) = self._states(self.words(self.spellings[distinct])[where], words_lengths)
        scored = length_mask(words_lengths - 1, words.shape[1] - 1)
        states = torch.cat((ahead[:, :-1][scored], back[:, 1:][scored]))
        targets = torch.cat((words[:, 1:][scored], words[:, :-1][scored]))
        known = targets.masked_fill(targets >= self.targets, UNK)
        loss: Loss = self.output(self.dropout(states), known)
        return loss

    def _states(self, x: Tensor, lengths: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The two layers' states, forward and backward, each [B, T, d]."""
        back = self.back(turn(x, lengths), lengths)
        return self.ahead(x, lengths), tuple(turn(states, lengths) for states in back)


class ScalarMix(nn.Module):
    """One vector of each word from its layers, gamma * sum over j of s_j h_j with s = softmax(w) (equation 1).

    These are the weights that a task trains on top of a frozen ELMo. The initial mix is the layers' mean.

    Args:
        layers: number of layers.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights, self.scale = nn.Parameter(torch.zeros(layers)), nn.Parameter(torch.ones(()))  # w and gamma

    def forward(self, layers: Tensor) -> Tensor:
        """[layers, B, T, size] -> [B, T, size]."""
        return self.scale * torch.einsum("l,lbts->bts", torch.softmax(self.weights, 0), layers)


class ContextGraph(nn.Module):
    """ELMo as exported to ONNX, vectors of words in context: (spellings [B, T, C], lengths [B]) -> layers [3, B, T, 2d]."""

    def __init__(self, model: ELMo) -> None:
        super().__init__()
        self.model = model

    def forward(self, spellings: Tensor, lengths: Tensor) -> Tensor:
        """See `ELMo.layers`."""
        return self.model.layers(spellings, lengths)
