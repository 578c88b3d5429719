"""Small bundles of word vectors, beside those that the stages export."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.text.subword_ngrams import Subwords
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from serving.bundle import Bundle

WORDS = ["king", "queen", "man", "woman", "film", "don't", "Paris"]
WriteVectors = Callable[..., Path]


@pytest.fixture(scope="session")
def write_vectors(tmp_path_factory: pytest.TempPathFactory) -> WriteVectors:
    """Writes a bundle of random vectors; with n-grams of at least `shortest` characters where that is not 0."""

    def write(shortest: int = 0) -> Path:
        folder, numbers = tmp_path_factory.mktemp("written") / "vectors", np.random.default_rng(0)
        matrix, ngrams = (numbers.normal(size=(rows, 8)).astype(np.float32) for rows in (len(WORDS), 100))
        subwords = Subwords(ngrams, shortest, 6) if shortest else None
        WordVectors(WordVocabulary(WORDS, range(len(WORDS), 0, -1)), matrix, {"method": "random"}, subwords).save(folder)
        Bundle.write(folder, task="vectors", kind="vectors", max_length=20)
        return folder

    return write


@pytest.fixture(scope="session")
def fasttext(write_vectors: WriteVectors) -> Path:
    """Vectors with n-grams: they have a vector for any word of one character or more."""
    return write_vectors(shortest=3)


@pytest.fixture(scope="session")
def plain(write_vectors: WriteVectors) -> Path:
    """Vectors of the vocabulary alone."""
    return write_vectors()


@pytest.fixture(scope="session")
def bundles(bundles: dict[str, Path], fasttext: Path) -> dict[str, Path]:
    """Kind -> folder of a bundle."""
    return bundles | {"vectors": fasttext}
