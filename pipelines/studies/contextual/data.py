"""Rotten Tomatoes' snippets as rows of word ids beside their contextual vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.text.special import SPECIAL_TOKENS, UNK
from models.text.vectors import WordVectors
from pipelines.store import Split, write_split
from serving.predictors.contexts import Contexts

SNIPPETS_AT_ONCE = 512
Vectors = NDArray[np.float16]


@dataclass(frozen=True)
class Snippet:
    """A sentence's words and whether it praises (1) or blames (0)."""

    words: Sequence[str]
    label: int


@dataclass(frozen=True)
class Features:
    """What a classifier reads.

    Attributes:
        splits: train, valid and test, with the columns words, occurrences and label.
        vectors: of the words by id, the special tokens' zero, [V, d].
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
    """Split the snippets at random, and look all their words up.

    Args:
        snippets: no two with the same words.
        shares: of the validation and of the test split.
        seed: of the split.
        glove: vectors of words.
        contexts: vectors of words in their sentence.
        folder: to write the splits to.
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
    """Ids of each snippet's words, and the rows of GloVe's matrix that they stand for: only words that occur get an id."""
    ids: dict[int, int] = {}
    rows = []
    for snippet in snippets:
        found = (glove.vocabulary.id(word) for word in snippet.words)
        rows.append([UNK if i is None else ids.setdefault(i, len(SPECIAL_TOKENS) + len(ids)) for i in found])
    return rows, list(ids)


def _layers(snippets: Sequence[Snippet], contexts: Contexts) -> Vectors:
    """Every occurrence's vectors, one snippet after the other."""
    parts: list[Vectors] = []
    for start in range(0, len(snippets), SNIPPETS_AT_ONCE):
        some = [snippet.words for snippet in snippets[start : start + SNIPPETS_AT_ONCE]]
        parts += [layers.swapaxes(0, 1).astype(np.float16) for layers in contexts.layers(some)]
    return np.concatenate(parts)
