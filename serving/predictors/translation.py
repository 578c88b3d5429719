"""Translation by one graph: encoder, attentive decoder and beam search."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from models.text.special import EOS
from models.text.subwords import SubwordTokenizer
from serving.arrays import FloatArray, IntArray, batches_by_length, pad
from serving.bundle import GRAPH, TOKENIZER, Bundle, BundleError, Decoding
from serving.session import Session
from serving.watch import Watch

BATCH_SIZE: Final = 8  # what such a batch computes in a step stays in a core's cache
LENGTH_OFFSETS: Final = {"length": 0.0, "wu": 5.0}  # c of models.beam


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


Answers = list[list[Candidate]]  # to each text, best first


class Translator:
    """The translator of a verified bundle.

    Args:
        folder: where the bundle lies.
        bundle: what `Bundle.load` said about it, of kind "translation".
        threads: cores that one call may use, each on batches of its own.

    Its graph is models.graphs.TranslatorGraph.
    """

    def __init__(self, folder: Path, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle.of_kind("translation")
        if bundle.decoding is None:
            raise BundleError(f"{folder}: a translation bundle says how to decode")
        self.decoding = bundle.decoding
        self.tokenizer = SubwordTokenizer.load(folder / TOKENIZER)
        self._search, self._threads = Session(folder / GRAPH, long=True), threads

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
        decoding: Decoding | None = None,
        *,
        n_best: int = 1,
        attention: bool = False,
        batch_size: int = BATCH_SIZE,
        watch: Watch | None = None,
    ) -> Answers:
        """Each text's n best translations, best first; fewer where the search finds no more.

        Args:
            texts: what to translate.
            decoding: how to search; None takes the bundle's.
            n_best: translations for each text, 1 to num_beams.
            attention: return each translation's alignment.
            batch_size: texts that go through the model at once.
            watch: is looked at between the steps of the search.

        Raises:
            DeadlineError: the watch ran out.
        """
        options = _options(decoding or self.decoding, n_best)
        sources = [[*self.tokenizer.encode(text), EOS] for text in texts]

        def search(batch: Sequence[int]) -> Answers:
            source, lengths = pad([sources[i] for i in batch])
            found = self._search(watch, source=source, source_lengths=lengths, **options)
            return [
                [
                    self._candidate(sources[i], tokens[k], float(scores[k]), weights[k] if attention else None)
                    for k in range(n_best)
                    if np.isfinite(scores[k])
                ]
                for i, tokens, scores, weights in zip(batch, *found, strict=True)
            ]

        results: Answers = [[] for _ in texts]
        batches = list(batches_by_length(sources, batch_size))
        for batch, answers in zip(batches, self._each(search, batches), strict=True):
            for i, candidates in zip(batch, answers, strict=True):
                results[i] = candidates
        return results

    def _each(self, search: Callable[[Sequence[int]], Answers], batches: Sequence[Sequence[int]]) -> Iterable[Answers]:
        """The answers to every batch, in order. A batch takes one core: cores that share one wait at every step."""
        if min(self._threads, len(batches)) <= 1:
            return map(search, batches)
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(search, batches))

    def _candidate(self, source: list[int], tokens: IntArray, score: float, weights: FloatArray | None) -> Candidate:
        target = tokens[: tokens.tolist().index(EOS) + 1].tolist()
        alignment = None
        if weights is not None:
            pieces = self.tokenizer.pieces
            alignment = Alignment(pieces(source), pieces(target), weights[: len(target), : len(source)])
        return Candidate(self.tokenizer.decode(target[:-1]), score, alignment)


def _options(decoding: Decoding, n_best: int) -> dict[str, FloatArray | IntArray]:
    """The graph's inputs beside the sentences."""
    first = np.full(decoding.num_beams, -np.inf, dtype=np.float32)
    first[0] = 0
    numbers = {
        "length_penalty": decoding.length_penalty,
        "length_offset": LENGTH_OFFSETS[decoding.length_normalization],
        "coverage_penalty": decoding.coverage_penalty,
    }
    counts = {"min_length": decoding.min_length, "ngram": decoding.no_repeat_ngram_size, "n_best": n_best}
    return {
        "first": first,
        **{name: np.array([number], dtype=np.float32) for name, number in numbers.items()},
        **{name: np.array([count]) for name, count in counts.items()},
    }
