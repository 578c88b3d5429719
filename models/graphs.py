"""The part of each task model that serving runs, with the inputs and outputs that serving knows. Exported, one ONNX file each."""

import torch
from torch import Tensor, nn

from models.attentive_classifier import AttentiveClassifier
from models.beam import Options, beam_search
from models.classifier import Classifier
from models.language_model import LanguageModel
from models.recurrent.affine import MakeAffine, exact
from models.seq2seq.translator import Translator
from models.text.special import BOS, PAD, UNK

NEVER_PRODUCED = [PAD, UNK, BOS]


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


class TranslatorGraph(nn.Module):
    """A whole translation: encoder, decoder and the search.

    (source [N, S], source_lengths [N], first [K], and the fields of models.beam.Options, [1] each) ->
    tokens [N, K, L], scores [N, K], attention [N, K, L, S], with L = 2 S + 10: see models.beam.Found.
    `first` are the sums of the first places, 0 and then -inf: its size says how wide the beam is.

    An output has at most 2 S + 10 tokens. That is ample for French and English, whose lengths hardly ever differ by half, and
    bounds what a decoder caught in a loop costs.

    Args:
        model: trained; a later change of its weights does not reach all of the graph.
        make: of which kind the affine maps of the decoder's step are.
    """

    def __init__(self, model: Translator, make: MakeAffine = exact) -> None:
        super().__init__()
        self.model, decoder = model, model.decoder
        never = torch.zeros_like(decoder.bias)
        never[NEVER_PRODUCED] = -torch.inf
        self.maps = decoder.maps(make)
        self.logits = make(decoder.embedding.weight, decoder.bias + never, 1.0)  # of o_t, a hyperbolic tangent

    def forward(
        self,
        source: Tensor,
        source_lengths: Tensor,
        first: Tensor,
        length_penalty: Tensor,
        length_offset: Tensor,
        coverage_penalty: Tensor,
        min_length: Tensor,
        ngram: Tensor,
        n_best: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        memory, state = self.model.encode(source, source_lengths)
        memory = memory._replace(values=memory.values.clone())  # they may be the keys, and a loop takes no tensor twice
        decoder, step = self.model.decoder, self.model.decoder.stepper(memory, self.maps)

        def decode(previous: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            output, state, weights = step(decoder.embedding(previous), state)
            return torch.log_softmax(self.logits(output), -1), state, weights

        limits, longest = 2 * source_lengths + 10, 2 * source.shape[1] + 10
        options = (length_penalty, length_offset, coverage_penalty, min_length, ngram, n_best)
        scalars = Options(*(option.reshape(()) for option in options))
        return beam_search(decode, state, memory.mask, limits, first, longest, scalars)
