"""How contextual vectors of one word vary across sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.embeddings.hogwild import Corpus
from models.text.words import WordVocabulary
from pipelines.evaluation.findings import Table
from serving.predictors.arrays import FloatArray
from serving.predictors.contexts import Contexts

TOP = 2  # the layer whose neighbours are listed, as in table 4 of arXiv 1802.05365
SIDE = 6  # words shown to each side
Sentence = Sequence[str]


@dataclass(frozen=True)
class Usage:
    """A word's occurrences and their vectors.

    Attributes:
        word: the word.
        sentences: sentences that contain the word.
        places: index of the word in each sentence, [N].
        layers: its vectors, [3, N, 2d], normalized to length 1.
    """

    word: str
    sentences: Sequence[Sentence]
    places: Sequence[int]
    layers: FloatArray

    @classmethod
    def read(cls, contexts: Contexts, word: str, sentences: Sequence[Sentence]) -> "Usage":
        """Compute the vectors of the word's first occurrence in each sentence."""
        places = [sentence.index(word) for sentence in sentences]
        found = [layers[:, place] for layers, place in zip(contexts.layers(sentences), places, strict=True)]
        layers = np.stack(found, 1)
        return cls(word, sentences, places, layers / np.linalg.norm(layers, axis=2, keepdims=True))

    def self_similarity(self) -> list[float]:
        """Mean cosine of the word in two different sentences, per layer (Ethayarajh 2019, arXiv 1909.00512, definition 1)."""
        n = len(self.sentences)
        sums = self.layers.sum(1)  # [3, 2d]; the squared length is the sum of all cosines
        return [(float(total @ total) - n) / (n * (n - 1)) for total in sums]

    def neighbours(self, index: int, k: int) -> list[tuple[int, float]]:
        """The k occurrences most similar to occurrence `index` in the top layer, with their cosines."""
        cosines = self.layers[TOP] @ self.layers[TOP, index]
        cosines[index] = -np.inf
        return [(int(i), float(cosines[i])) for i in np.argsort(-cosines, kind="stable")[:k]]

    def shown(self, index: int) -> str:
        """The word in capitals with its context."""
        sentence, place = self.sentences[index], self.places[index]
        before, after = sentence[max(place - SIDE, 0) : place], sentence[place + 1 : place + 1 + SIDE]
        return " ".join([*before, self.word.upper(), *after])


def sentences_with(word: str, corpus: Corpus, vocabulary: WordVocabulary, number: int, lengths: range) -> list[Sentence]:
    """Sentences of these lengths that contain a word, evenly spaced over the corpus; none for an unknown word."""
    rows = np.searchsorted(corpus.offsets, np.flatnonzero(corpus.tokens == vocabulary.id(word)), side="right") - 1
    bounds = [(int(corpus.offsets[row]), int(corpus.offsets[row + 1])) for row in np.unique(rows)]
    fitting = [(start, end) for start, end in bounds if end - start in lengths]
    chosen = fitting[:: max(len(fitting) // number, 1)][:number]
    return [[vocabulary.words[i] for i in corpus.tokens[start:end].tolist()] for start, end in chosen]


def compare_contexts(usages: Sequence[Usage], queries: int, k: int) -> tuple[dict[str, float], Table]:
    """How much each word's vectors vary by sentence, and the nearest neighbours of some of its sentences.

    Args:
        usages: occurrences of each word.
        queries: number of query sentences per word, evenly spaced.
        k: number of neighbours per query.

    Returns:
        metrics as WORD.layer_N, and a table.
    """
    metrics = {f"{usage.word}.layer_{n}": value for usage in usages for n, value in enumerate(usage.self_similarity())}
    table: Table = [
        {"word": usage.word, "sentence": usage.shown(query), "nearest": usage.shown(near), "cosine": cosine}
        for usage in usages
        for query in range(0, len(usage.sentences), max(len(usage.sentences) // queries, 1))
        for near, cosine in usage.neighbours(query, k)
    ]
    return metrics, table
