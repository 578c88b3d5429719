"""A translator as exported to ONNX, with the inputs and outputs that serving expects."""

import torch
from torch import Tensor, nn

from models.beam import Options, beam_search
from models.recurrent.affine import MakeAffine, exact
from models.text.special import BOS, PAD, UNK
from models.translation.translator import Translator

NEVER_PRODUCED = [PAD, UNK, BOS]


class TranslatorGraph(nn.Module):
    """A full translation: encoder, decoder and beam search.

    (source [N, S], source_lengths [N], first [K], and the fields of models.beam.Options, [1] each) ->
    tokens [N, K, L], scores [N, K], attention [N, K, L, S], and the fields of the trace [N, L, K], with L = 2 S + 10: see
    models.beam.Found.
    `first` are the initial sums of the beam, 0 followed by -inf; its size K is the beam width.

    An output has at most 2 S + 10 tokens. That is ample for French and English, whose lengths hardly ever differ by half, and
    limits the cost of a decoder caught in a loop.

    Args:
        model: trained; the graph does not follow all later changes of its weights.
        make: makes the affine maps of the decoder's step.
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
    ) -> tuple[Tensor, ...]:
        """See the class."""
        memory, state = self.model.encode(source, source_lengths)
        memory = memory._replace(values=memory.values.clone())  # they may be the keys, and a loop does not accept a tensor twice
        decoder, step = self.model.decoder, self.model.decoder.stepper(memory, self.maps)

        def decode(previous: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            output, state, weights = step(decoder.embedding(previous), state)
            return torch.log_softmax(self.logits(output), -1), state, weights

        limits, longest = 2 * source_lengths + 10, 2 * source.shape[1] + 10
        options = (length_penalty, length_offset, coverage_penalty, min_length, ngram, n_best)
        scalars = Options(*(option.reshape(()) for option in options))
        found = beam_search(decode, state, memory.mask, limits, first, longest, scalars)
        return found.tokens, found.scores, found.attention, *found.trace
