"""Translation by an encoder, an attentive decoder and beam search."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from models.text.special import EOS
from models.text.subwords import SubwordTokenizer
from serving.arrays import FloatArray, IntArray, batches_by_length, pad
from serving.beam import Arrays, Hypothesis, beam_search
from serving.bundle import GRAPHS, TOKENIZER, Bundle, BundleError
from serving.session import Session


@dataclass(frozen=True)
class Alignment:
    """Attention weights [T, S] of the target pieces over the source pieces, EOS among both."""

    source: list[str]
    target: list[str]
    weights: FloatArray


@dataclass(frozen=True)
class Candidate:
    """One translation, its length-normalized log-probability (natural), and its alignment on request."""

    text: str
    score: float
    alignment: Alignment | None


class Translator:
    """The translator of a verified bundle.

    Args:
        folder: where the bundle lies.
        bundle: what `Bundle.load` said about it, of kind "translation".
        threads: cores that one call may use.

    The graphs, for B rows of S source ids (the text's and EOS):

    - encoder: source [B, S], source_lengths [B] -> memory [B, S, M], keys [B, S, A], state [B, H].
    - decoder: previous [B], state, memory, keys, source_lengths -> log_probs [B, V], next_state [B, H], attention [B, S].
    """

    def __init__(self, folder: Path, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle.of_kind("translation")
        if bundle.decoding is None:
            raise BundleError(f"{folder}: a translation bundle says how to decode")
        self.decoding = bundle.decoding
        self.tokenizer = SubwordTokenizer.load(folder / TOKENIZER)
        encoder, decoder = GRAPHS["translation"]
        self._encoder = Session(folder / encoder, threads=threads)
        self._decoder = Session(folder / decoder, threads=threads)

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Self:
        """Verify the bundle in `folder` and load it.

        Raises:
            BundleError: it is no intact translation bundle.
        """
        return cls(folder, Bundle.load(folder), threads=threads)

    def translate(
        self,
        texts: Sequence[str],
        *,
        num_beams: int | None = None,
        length_penalty: float | None = None,
        n_best: int = 1,
        attention: bool = False,
        batch_size: int = 32,
    ) -> list[list[Candidate]]:
        """Each text's n best translations, best first.

        Args:
            texts: what to translate.
            num_beams: width of the beam; None takes the bundle's.
            length_penalty: exponent of the length normalization; None takes the bundle's.
            n_best: translations for each text, 1 to num_beams.
            attention: return each translation's alignment.
            batch_size: texts that go through the model at once.
        """
        sources = [[*self.tokenizer.encode(text), EOS] for text in texts]
        results: list[list[Candidate]] = [[] for _ in texts]
        for batch in batches_by_length(sources, batch_size):
            source, lengths = pad([sources[i] for i in batch])
            memory, keys, state = self._encoder(source=source, source_lengths=lengths)
            found = beam_search(
                self._step,
                (state,),
                (memory, keys, lengths),
                [max_target_length(len(sources[i])) for i in batch],
                num_beams=self.decoding.num_beams if num_beams is None else num_beams,
                length_penalty=self.decoding.length_penalty if length_penalty is None else length_penalty,
                n_best=n_best,
                keep_attention=attention,
            )
            for i, hypotheses in zip(batch, found, strict=True):
                results[i] = [self._candidate(sources[i], h) for h in hypotheses]
        return results

    def _step(self, previous: IntArray, state: Arrays, context: Arrays) -> tuple[FloatArray, Arrays, FloatArray]:
        (hidden,), (memory, keys, lengths) = state, context
        log_probs, hidden, attention = self._decoder(
            previous=previous, state=hidden, memory=memory, keys=keys, source_lengths=lengths
        )
        return log_probs, (hidden,), attention

    def _candidate(self, source: list[int], hypothesis: Hypothesis) -> Candidate:
        alignment = None
        if hypothesis.attention is not None:
            target = self.tokenizer.pieces([*hypothesis.tokens, EOS])
            alignment = Alignment(self.tokenizer.pieces(source), target, hypothesis.attention[:, : len(source)])
        return Candidate(self.tokenizer.decode(hypothesis.tokens), hypothesis.score, alignment)


def max_target_length(source_length: int) -> int:
    """The most ids of a translation, EOS included: twice the source's and ten.

    Ample for French and English, whose lengths hardly ever differ by half; it bounds what a decoder caught in a loop costs.
    """
    return 2 * source_length + 10
