"""Small bundles of word vectors, beside those that the stages export."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models.text.characters import CharacterTokenizer
from models.text.subword_ngrams import Subwords
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from pipelines.embedding.contextual import Contextual
from pipelines.export_vectors import export_vectors
from pipelines.params import load_params
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
def contextual(write_vectors: WriteVectors, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contextual]:
    """A bundle that also has contextual vectors, and the model that it was exported from."""
    root, settings = tmp_path_factory.mktemp("contextual"), load_params().vectors
    sizes = {"size": 4, "filters": [3, 2], "character_size": 3, "cutoffs": [5], "longest_word": 6}
    elmo = settings.methods.elmo.model_copy(update={"model": settings.methods.elmo.model.model_copy(update=sizes)})
    settings = settings.model_copy(update={"methods": settings.methods.model_copy(update={"elmo": elmo})})
    vectors = write_vectors(shortest=3)
    for name in (settings.export.method, "elmo"):
        shutil.copytree(vectors, root / "made" / name)
    torch.manual_seed(0)
    model = Contextual.build(elmo, WordVectors.load(vectors).vocabulary, CharacterTokenizer.train(WORDS, lowercase=False))
    model.save(root / "made/elmo")
    assert export_vectors(settings, root / "made", root / "vectors") <= 1e-5
    return root / "vectors", model


@pytest.fixture(scope="session")
def bundles(bundles: dict[str, Path], fasttext: Path) -> dict[str, Path]:
    """Kind -> folder of a bundle."""
    return bundles | {"vectors": fasttext}
