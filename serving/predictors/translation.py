"""Translation, sentence by sentence, with one graph for encoder, attention decoder and beam search."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from heapq import nlargest
from pathlib import Path
from statistics import fmean
from typing import Any, Final, Self

import numpy as np

from models.text.case import Restore, Truecaser
from models.text.sentences import Sentences
from models.text.special import EOS
from models.text.subwords import SubwordTokenizer
from serving.bundle import CASE, GRAPH, TOKENIZER, Bundle, BundleError, Decoding
from serving.predictors.arrays import FloatArray, IntArray, batches_by_length, pad
from serving.predictors.remember import remember
from serving.predictors.search import Node, Prefix
from serving.predictors.search import tree as search_tree
from serving.predictors.session import Session
from serving.predictors.watch import Watch

BATCH_SIZE: Final = 8  # one step of such a batch fits in a core's cache
LENGTH_OFFSETS: Final = {"length": 0.0, "wu": 5.0}  # c of models.beam


@dataclass(frozen=True)
class Alignment:
    """Attention weights [T, S] of the target pieces over the source pieces, both including EOS."""

    source: list[str]
    target: list[str]
    weights: FloatArray


@dataclass(frozen=True)
class TranslatedSentence:
    """A sentence, a translation, and its length-normalized natural log-probability; on request, its alignment and its search."""

    source: str
    text: str
    score: float
    alignment: Alignment | None
    search: list[Node] | None = None


@dataclass(frozen=True)
class Candidate:
    """A text's translation: its sentences' translations with the text's white space. The score is their mean."""

    text: str
    score: float
    sentences: tuple[TranslatedSentence, ...]


@dataclass(frozen=True)
class Reading:
    """A text as the model reads it.

    Attributes:
        parts: the sentences, and the text between them.
        usual: the sentences in usual case.
        ids: subword ids of each sentence, ending with EOS.
        restore: for each sentence, a function that gives its translation the case of the sentence.
    """

    parts: Sentences
    usual: tuple[str, ...]
    ids: tuple[list[int], ...]
    restore: tuple[Restore, ...]


Found = list[list[TranslatedSentence]]  # for each sentence, best first


class Translator:
    """The translator of a verified bundle.

    Args:
        folder: folder of the bundle.
        bundle: its manifest from `Bundle.load`, of kind "translation".
        threads: maximum number of cores that one call uses, each for a different batch.

    Its graph is models.translation.graph.TranslatorGraph.
    """

    def __init__(self, folder: Path, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle.of_kind("translation")
        if bundle.decoding is None:
            raise BundleError(f"{folder}: `decoding` is missing")
        self.decoding = bundle.decoding
        if bundle.language is None:
            raise BundleError(f"{folder}: `language` is missing")
        self._language = bundle.language
        self.tokenizer = SubwordTokenizer.load(folder / TOKENIZER)
        self._case = Truecaser.load(folder / CASE)
        self.read = remember(self._read)
        self._search, self._threads = Session(folder / GRAPH, long=True), threads

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Self:
        """Verify the bundle in `folder` and load it.

        Raises:
            BundleError: it is not a valid translation bundle.
        """
        return cls(folder, Bundle.load(folder), threads=threads)

    def _read(self, text: str) -> Reading:
        """Split a text into sentences, convert them to usual case, and split them into subwords."""
        parts = Sentences.of(text, self._language)
        usual = [self._case.read(sentence) for sentence in parts.sentences]
        ids = tuple([*self.tokenizer.encode(sentence), EOS] for sentence, _ in usual)
        return Reading(parts, tuple(text for text, _ in usual), ids, tuple(restore for _, restore in usual))

    def translate(
        self,
        texts: Sequence[str],
        decoding: Decoding | None = None,
        *,
        n_best: int = 1,
        attention: bool = False,
        tree: bool = False,
        batch_size: int = BATCH_SIZE,
        watch: Watch | None = None,
    ) -> list[list[Candidate]]:
        """Translate texts. Returns the n best translations of each text, best first; fewer if the search finds fewer.

        Args:
            texts: texts to translate.
            decoding: search settings; None uses the bundle's.
            n_best: number of translations for each text, 1 to num_beams.
            attention: whether to return each sentence's alignment.
            tree: whether to return the search of each sentence, with its best translation.
            batch_size: sentences per batch.
            watch: stops the search at its deadline.

        Raises:
            DeadlineError: the deadline passed.
        """
        readings = [self.read(text) for text in texts]
        more = _More(attention, tree)
        found = iter(self._search_all(readings, _options(decoding or self.decoding, n_best), more, batch_size, watch))
        return [_candidates(reading.parts, [next(found) for _ in reading.ids], n_best) for reading in readings]

    def _search_all(
        self,
        readings: Sequence[Reading],
        options: Mapping[str, FloatArray | IntArray],
        more: "_More",
        batch_size: int,
        watch: Watch | None,
    ) -> Found:
        """The translations of all sentences, searched in batches of similar length."""
        texts = [text for reading in readings for text in reading.parts.sentences]
        sources = [ids for reading in readings for ids in reading.ids]
        restore = [restore for reading in readings for restore in reading.restore]

        def translated(i: int, target: Prefix, score: float, weights: FloatArray) -> TranslatedSentence:
            alignment = self._alignment(sources[i], target, weights) if more.attention else None
            return TranslatedSentence(texts[i], restore[i](self.tokenizer.decode(target[:-1])), score, alignment)

        def all_of(i: int, tokens: IntArray, scores: FloatArray, weights: FloatArray, *trace: Any) -> list[TranslatedSentence]:
            targets = [_ended(row) for row, score in zip(tokens.tolist(), scores, strict=True) if np.isfinite(score)]
            found = [translated(i, target, float(scores[k]), weights[k]) for k, target in enumerate(targets)]
            if more.tree and found:
                last_tokens, rows, sums = trace
                found[0] = replace(found[0], search=search_tree(last_tokens, rows, sums, targets))
            return found

        def search(batch: Sequence[int]) -> Found:
            source, lengths = pad([sources[i] for i in batch])
            found = self._search(watch, source=source, source_lengths=lengths, **options)
            return [all_of(*of_sentence) for of_sentence in zip(batch, *found, strict=True)]

        results: Found = [[] for _ in texts]
        batches = list(batches_by_length(sources, batch_size))
        for batch, answers in zip(batches, self._each(search, batches), strict=True):
            for i, candidates in zip(batch, answers, strict=True):
                results[i] = candidates
        return results

    def _each(self, search: Callable[[Sequence[int]], Found], batches: Sequence[Sequence[int]]) -> Iterable[Found]:
        """The results of all batches, in order. A batch uses one core; several cores would wait for each other at each step."""
        if min(self._threads, len(batches)) <= 1:
            return map(search, batches)
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(search, batches))

    def _alignment(self, source: Sequence[int], target: Sequence[int], weights: FloatArray) -> Alignment:
        pieces = self.tokenizer.pieces
        return Alignment(pieces(source), pieces(target), weights[: len(target), : len(source)])


@dataclass(frozen=True)
class _More:
    """What to return beside the translations."""

    attention: bool
    tree: bool


def _ended(tokens: list[int]) -> Prefix:
    """The tokens up to EOS."""
    return tuple(tokens[: tokens.index(EOS) + 1])


def _candidates(parts: Sentences, found: Found, n_best: int) -> list[Candidate]:
    """Combine the translations of a text's sentences to the n best translations of the text."""
    chosen: list[tuple[TranslatedSentence, ...]] = [()]
    for sentence in found:
        longer = ((*before, next_one) for before in chosen for next_one in sentence)
        chosen = nlargest(n_best, longer, key=lambda sentences: sum(sentence.score for sentence in sentences))
    return [
        Candidate(parts.joined(s.text for s in sentences), fmean(s.score for s in sentences) if sentences else 0.0, sentences)
        for sentences in chosen
    ]


def _options(decoding: Decoding, n_best: int) -> dict[str, FloatArray | IntArray]:
    """The graph's inputs other than the sentences."""
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
