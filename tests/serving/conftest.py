"""Small bundles of word vectors, stores of model archives, and a running server."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from asking import UNLUCKY, MakeStore, WriteVectors, random_vectors
from numpy import array, float32, int64, zeros
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.load.target import Target
from models.text.characters import CharacterTokenizer
from models.text.json_files import write_json
from models.text.vectors import PROVENANCE, WordVectors
from pipelines.embedding.contextual import Contextual
from pipelines.settings.params import Params, load_params
from pipelines.settings.section import Serve
from pipelines.settings.tasks import Task
from pipelines.settings.vectors import ElmoVectors, Vectors
from pipelines.stages.export_vectors import export_vectors
from pipelines.stages.package import Origin, package
from serving.bundle import GRAPH, MANIFEST, Bundle
from serving.server import control
from serving.server.errors import ControlError
from serving.server.proxy import Front, find_nginx

WORDS = ["king", "queen", "man", "woman", "film", "don't", "Paris"]
BATCH = 4


@pytest.fixture(scope="session")
def write_vectors(tmp_path_factory: pytest.TempPathFactory) -> WriteVectors:
    """A function that writes a bundle of one method; with n-grams of at least `shortest` characters unless that is 0."""

    def write(shortest: int = 0) -> Path:
        folder = tmp_path_factory.mktemp("written") / "vectors"
        random_vectors(WORDS, 8, shortest).save(folder / "random")
        Bundle.write(folder, task="vectors", kind="vectors", methods=("random",), max_length=20)
        return folder

    return write


@pytest.fixture(scope="session")
def fasttext(write_vectors: WriteVectors) -> Path:
    """Vectors with n-grams, which have a vector for any word of one character or more."""
    return write_vectors(shortest=3)


@pytest.fixture(scope="session")
def plain(write_vectors: WriteVectors) -> Path:
    """Vectors without n-grams, only for the vocabulary."""
    return write_vectors()


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors of two methods: the first only for its vocabulary, the second for any word of one character or more."""
    folder = tmp_path_factory.mktemp("both") / "vectors"
    random_vectors([*WORDS, "throne"], 5).save(folder / "learned")
    random_vectors(["king", "queen", "woman", "kingpin"], 8, shortest=3).save(folder / "composed")
    Bundle.write(folder, task="vectors", kind="vectors", methods=("learned", "composed"), max_length=20)
    return folder


@pytest.fixture(scope="session")
def contextual(write_vectors: WriteVectors, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contextual]:
    """A bundle with contextual vectors, and the model that it was exported from."""
    root, settings = tmp_path_factory.mktemp("contextual"), load_params()
    sizes = {"size": 4, "filters": [3, 2], "character_size": 3, "cutoffs": [5], "longest_word": 6}
    shipped = settings.method("elmo")
    assert isinstance(shipped, ElmoVectors)
    elmo = shipped.model_copy(update={"model": shipped.model.model_copy(update=sizes)})
    limits, vectors = settings.word_vectors("vectors").export, write_vectors(shortest=3) / "random"
    for path in (*limits.answering, limits.contextual):
        shutil.copytree(vectors, root / "made" / path)
    write_json(root / "made" / limits.contextual / PROVENANCE, {"settings": elmo.model_dump()})
    torch.manual_seed(0)
    model = Contextual.build(elmo, WordVectors.load(vectors).vocabulary, CharacterTokenizer.train(WORDS, lowercase=False))
    model.save(root / "made" / limits.contextual)
    measured = export_vectors("vectors", limits, root / "made", root / "vectors")
    assert measured["onnx_max_abs_error"] <= 1e-5
    return root / "vectors", model


@pytest.fixture(scope="session")
def bundles(bundles: dict[str, Path], both: Path) -> dict[str, Path]:
    """Kind -> folder of a bundle."""
    return bundles | {"vectors": both}


@pytest.fixture(scope="session")
def make_store(bundles: dict[str, Path], prepared: dict[str, Path], small_params: Params) -> MakeStore:
    """A function that packages bundles, by default one of every kind, into a store; models have the names of their folders."""

    def make(folder: Path, *chosen: Path, delay_ms: int = 1, deadline_s: int = 5, run: str = "0123abcd") -> Path:
        limits = {"deadline_s": deadline_s, "response_timeout_s": 2 * deadline_s}
        settings = Serve(workers=1, batch_size=BATCH, max_batch_delay_ms=delay_ms, **limits)
        for bundle in chosen or bundles.values():
            task = Bundle.load(bundle).task
            block: Task | Vectors = small_params.tasks.get(task, small_params.vectors["vectors"])
            package(bundle, block.model_copy(update={"serve": settings}), folder, prepared.get(task, folder), Origin(run, "1"))
        return folder

    return make


@pytest.fixture(scope="session")
def brittle(bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier whose graph fails on long texts."""
    folder = shutil.copytree(bundles["classification"], tmp_path_factory.mktemp("brittle") / "classification")
    model = onnx.load(folder / GRAPH)
    (lengths,) = (i.name for i in model.graph.input if i.name.endswith("lengths"))
    output = model.graph.output[0]
    inner, output_name = f"{output.name}_before", output.name
    for node in model.graph.node:
        node.output[:] = [inner if name == output_name else name for name in node.output]
    constants: dict[str, NDArray[Any]] = {
        "unlucky": array(UNLUCKY, int64),
        "far": array(1000, int64),
        "table": zeros(1, float32),
        "last": array([1], int64),
    }
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    model.graph.node.extend(
        [
            helper.make_node("GreaterOrEqual", [lengths, "unlucky"], ["is_unlucky"]),
            helper.make_node("Cast", ["is_unlucky"], ["as_number"], to=TensorProto.INT64),
            helper.make_node("Mul", ["as_number", "far"], ["place"]),
            helper.make_node("Gather", ["table", "place"], ["nothing"]),  # out of bounds for an unlucky text
            helper.make_node("Unsqueeze", ["nothing", "last"], ["nothing_column"]),
            helper.make_node("Add", [inner, "nothing_column"], [output_name]),
        ]
    )
    onnx.save(model, folder / GRAPH)
    said = json.loads((folder / MANIFEST).read_text())
    Bundle.write(
        folder, **{name: said[name] for name in ("task", "kind", "max_length", "temperature")}, labels=tuple(said["labels"])
    )
    return folder


@pytest.fixture
def other(bundles: dict[str, Path], tmp_path: Path) -> Callable[[float], Path]:
    """A function that makes other versions of the classifier: a higher temperature gives flatter probabilities."""

    def make(temperature: float) -> Path:
        folder = shutil.copytree(bundles["classification"], tmp_path / "classification")
        content = json.loads((folder / "bundle.json").read_text())
        (folder / "bundle.json").write_text(json.dumps(content | {"temperature": temperature}))
        return folder

    return make


@pytest.fixture(scope="session")
def proxied(make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A running server with a proxy and a model of each kind."""
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
