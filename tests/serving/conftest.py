"""Small bundles of word vectors, beside those that the stages export."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from asking import MakeStore, random_vectors

from benchmarks.load.target import Target
from models.text.characters import CharacterTokenizer
from models.text.vectors import WordVectors
from pipelines.embedding.contextual import Contextual
from pipelines.export_vectors import export_vectors
from pipelines.package import Origin, package
from pipelines.params import load_params
from pipelines.settings.section import Serve
from serving import control
from serving.bundle import Bundle
from serving.server.errors import ControlError
from serving.server.proxy import Front, find_nginx

WORDS = ["king", "queen", "man", "woman", "film", "don't", "Paris"]
WriteVectors = Callable[..., Path]
BATCH = 4


@pytest.fixture(scope="session")
def write_vectors(tmp_path_factory: pytest.TempPathFactory) -> WriteVectors:
    """Writes a bundle of vectors of one method; with n-grams of at least `shortest` characters where that is not 0."""

    def write(shortest: int = 0) -> Path:
        folder = tmp_path_factory.mktemp("written") / "vectors"
        random_vectors(WORDS, 8, shortest).save(folder / "random")
        Bundle.write(folder, task="vectors", kind="vectors", methods=("random",), max_length=20)
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
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors of two methods: the first has those of its vocabulary alone, the second of any word of one character or more."""
    folder = tmp_path_factory.mktemp("both") / "vectors"
    random_vectors([*WORDS, "throne"], 5).save(folder / "learned")
    random_vectors(["king", "queen", "woman", "kingpin"], 8, shortest=3).save(folder / "composed")
    Bundle.write(folder, task="vectors", kind="vectors", methods=("learned", "composed"), max_length=20)
    return folder


@pytest.fixture(scope="session")
def contextual(write_vectors: WriteVectors, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contextual]:
    """A bundle that also has contextual vectors, and the model that it was exported from."""
    root, settings = tmp_path_factory.mktemp("contextual"), load_params().vectors
    sizes = {"size": 4, "filters": [3, 2], "character_size": 3, "cutoffs": [5], "longest_word": 6}
    elmo = settings.methods.elmo.model_copy(update={"model": settings.methods.elmo.model.model_copy(update=sizes)})
    settings = settings.model_copy(update={"methods": settings.methods.model_copy(update={"elmo": elmo})})
    vectors = write_vectors(shortest=3) / "random"
    for name in (settings.export.known, settings.export.unknown, "elmo"):
        shutil.copytree(vectors, root / "made" / name)
    torch.manual_seed(0)
    model = Contextual.build(elmo, WordVectors.load(vectors).vocabulary, CharacterTokenizer.train(WORDS, lowercase=False))
    model.save(root / "made/elmo")
    assert export_vectors(settings, root / "made", root / "vectors") <= 1e-5
    return root / "vectors", model


@pytest.fixture(scope="session")
def bundles(bundles: dict[str, Path], both: Path) -> dict[str, Path]:
    """Kind -> folder of a bundle."""
    return bundles | {"vectors": both}


@pytest.fixture(scope="session")
def make_store(bundles: dict[str, Path], prepared: dict[str, Path]) -> MakeStore:
    """Packages bundles, those of every kind where none are named, into a folder, as models of their folders' names."""

    def make(folder: Path, *chosen: Path, delay_ms: int = 1, run: str = "0123abcd") -> Path:
        settings = Serve(workers=1, batch_size=BATCH, max_batch_delay_ms=delay_ms, deadline_s=5, response_timeout_s=10)
        for bundle in chosen or bundles.values():
            task = Bundle.load(bundle).task
            package(bundle, settings, folder, prepared.get(task, folder), Origin(run, "1"))
        return folder

    return make


@pytest.fixture
def other(bundles: dict[str, Path], tmp_path: Path) -> Callable[[float], Path]:
    """Further versions of the classifier, the higher their temperature the less sure of themselves."""

    def make(temperature: float) -> Path:
        folder = shutil.copytree(bundles["classification"], tmp_path / "classification")
        content = json.loads((folder / "bundle.json").read_text())
        (folder / "bundle.json").write_text(json.dumps(content | {"temperature": temperature}))
        return folder

    return make


@pytest.fixture(scope="session")
def proxied(make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A running server of a model of each kind, behind its proxy."""
    pytest.importorskip("ts")
    try:
        find_nginx()
    except ControlError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("proxied")
    try:
        control.up(make_store(folder / "packaged"), folder, 0, Front())
        yield Target.of(folder)
    finally:
        control.down(folder)
