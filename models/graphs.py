"""The part of each task model that serving runs, with the inputs and outputs that serving knows. Exported, one ONNX file each."""

import torch
from torch import Tensor, nn

from models.attentive_classifier import AttentiveClassifier
from models.classifier import Classifier
from models.language_model import LanguageModel
from models.recurrent.ragged import length_mask
from models.translator import Translator


class ClassifierGraph(nn.Module):
    """A whole classifier: (characters [B, T] from BOS to EOS, lengths [B]) -> logits [B, C]."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """See the class."""
        return self.model.logits(characters, lengths)


class AttentiveClassifierGraph(nn.Module):
    """A whole classifier of sentences: (words [B, T], lengths [B]) -> logits [B, C], importances [B, T]."""

    def __init__(self, model: AttentiveClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, words: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        return self.model.logits(words, lengths)


class LanguageModelGraph(nn.Module):
    """A language model that goes on from a state: it scores whole texts (T characters) and samples them (one at a time).

    (characters [B, T], label [B], state [B, S]) -> logits [B, T, V], next_state [B, S]. Every row is read to T: a row's
    padding comes last, so that it changes nothing but the row's own state, which is of use only where no row is padded.
    """

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, characters: Tensor, label: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        lengths = torch.full_like(label, characters.shape[1])
        return self.model.logits(characters, lengths, label, state)


class EncoderGraph(nn.Module):
    """What a translator computes once a sentence.

    (source [B, S], source_lengths [B]) -> memory [B, S, 2H], keys [B, S, A], state [B, H].
    """

    def __init__(self, model: Translator) -> None:
        super().__init__()
        self.encoder, self.attention = model.encoder, model.decoder.attention

    def forward(self, source: Tensor, source_lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        memory, state = self.encoder(source, source_lengths)
        keys, _ = self.attention.prepare(memory)  # its values are the memory itself
        return memory, keys, state


class DecoderGraph(nn.Module):
    """What it computes for each unit of the translation.

    (previous [B], state [B, H], memory [B, S, 2H], keys [B, S, A], source_lengths [B])
    -> log_probs [B, V], next_state [B, H], attention [B, S].
    """

    def __init__(self, model: Translator) -> None:
        super().__init__()
        self.decoder = model.decoder

    def forward(
        self, previous: Tensor, state: Tensor, memory: Tensor, keys: Tensor, source_lengths: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        embedded = self.decoder.embedding(previous)
        mask = length_mask(source_lengths, memory.shape[1])
        inputs = self.decoder.from_embedding(embedded)
        state, context, weights = self.decoder.step(inputs, state, keys, memory, mask)
        logits = self.decoder.logits(self.decoder.deep_output(state, embedded, context))
        return torch.log_softmax(logits, dim=1), state, weights
