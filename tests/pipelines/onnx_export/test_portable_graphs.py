"""Graphs give the same results on every CPU: if a product of bytes could saturate, the graph is neither exported nor packaged."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import shipped
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.emulated import run_emulated, unavailable
from models.translation import int8 as module
from models.translation.translator import Translator
from pipelines.kinds.parts import build
from pipelines.kinds.translation.graphs import graph as graph_of
from pipelines.onnx_export.graph import ROUNDED_TOLERANCE, Graph, export_graph, gaps
from pipelines.onnx_export.saturation import LARGEST, assert_portable
from pipelines.paths import BUNDLES
from pipelines.settings.params import Params
from pipelines.stage import StageError
from pipelines.stages.package import Origin, package
from serving.bundle import GRAPH, Bundle
from serving.predictors.session import Session

BUILT = sorted(BUNDLES.glob("*/*.onnx"))  # by `make repro`
Bytes = NDArray[np.int8]

emulator = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))


def product_of(*weights: Bytes) -> onnx.ModelProto:
    """A graph that multiplies x [1, n], unsigned bytes, by each of the weights [n, 1], signed bytes."""
    names = [f"w{i}" for i in range(len(weights))]
    nodes = [helper.make_node("MatMulInteger", ["x", name], [f"y{name}"]) for name in names]
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, [1, len(weights[0])])
    outputs = [helper.make_tensor_value_info(f"y{name}", TensorProto.INT32, [1, 1]) for name in names]
    constants = [numpy_helper.from_array(weight, name) for weight, name in zip(weights, names, strict=True)]
    return onnx_model(helper.make_graph(nodes, "product", [x], outputs, constants))


def onnx_model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def hidden(tensor: TensorProto, depth: int, as_node: bool) -> onnx.GraphProto:
    """A graph with a constant in `depth` nested branches, as an initializer or a node."""
    nodes = [helper.make_node("Constant", [], ["constant"], value=tensor)] if as_node else []
    graph = helper.make_graph(nodes, "inner", [], [], [] if as_node else [tensor])
    for _ in range(depth):
        graph = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=graph, else_branch=graph)], "outer", [], [])
    return graph


@given(
    value=st.integers(-128, 127),
    depth=st.integers(0, 3),
    as_node=st.booleans(),
    dtype=st.sampled_from([np.int8, np.int16, np.float32]),
)
def test_a_constant_of_signed_bytes_beyond_7_bits_is_found_anywhere_in_the_graph(
    tmp_path_factory: pytest.TempPathFactory, value: int, depth: int, as_node: bool, dtype: type
) -> None:
    path = tmp_path_factory.mktemp("hidden") / "model.onnx"
    onnx.save(onnx_model(hidden(numpy_helper.from_array(np.array([[0, value]], dtype), "w"), depth, as_node)), path)
    if dtype is np.int8 and abs(value) > LARGEST:
        with pytest.raises(StageError, match=rf"exceed 64 in magnitude, 'w' with {abs(value)}\. Quantize its weights to 7 bits"):
            assert_portable(path)
    else:
        assert_portable(path)


def test_every_graph_that_the_pipeline_exports_is_portable(bundles: dict[str, Path]) -> None:
    for folder in bundles.values():
        for path in folder.glob("*.onnx"):
            assert_portable(path)
    graph = onnx.load(bundles["translation"] / GRAPH).graph
    weights = [numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.data_type == TensorProto.INT8]
    assert max(np.abs(weight.astype(int)).max() for weight in weights) == LARGEST  # weights exist and use all 7 bits


@pytest.mark.parametrize("path", BUILT, ids=str)
def test_every_graph_in_the_build_folder_is_portable(path: Path) -> None:
    assert_portable(path)


@pytest.mark.parametrize("levels", [64, 127])
def test_a_graph_that_could_saturate_is_not_exported(levels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WEIGHT_LEVELS", levels)
    affine = module.Int8Affine(torch.randn(5, 8), torch.zeros(5), 1.0)

    def example(batch: int, _length: int) -> dict[str, torch.Tensor]:
        return {"x": 2 * torch.rand(batch, 8) - 1}

    graph = Graph("model", affine, example, {"x": {0: "batch"}}, ["y"], rounded=True)
    if levels == LARGEST:
        export_graph(graph, tmp_path)
        return
    with pytest.raises(StageError, match=r"CPUs without VNNI.*exceed 64 in magnitude.*`export\.weights: float32`"):
        export_graph(graph, tmp_path)


def test_a_graph_that_could_saturate_is_not_packaged(
    bundles: dict[str, Path], prepared: dict[str, Path], small_params: Params, tmp_path: Path
) -> None:
    bundle, folder = Bundle.load(bundles["translation"]), tmp_path / "fr-en"
    folder.mkdir()
    for name in bundle.files:
        (folder / name).write_bytes((bundles["translation"] / name).read_bytes())
    onnx.save(widened(onnx.load(folder / GRAPH)), folder / GRAPH)
    Bundle.write(
        folder, **bundle.model_dump(include={"task", "kind", "max_length", "max_sentences", "language"}), decoding=bundle.decoding
    )
    with pytest.raises(StageError, match="exceed 64 in magnitude"):
        package(folder, small_params.task("fr-en"), tmp_path / "store", prepared["fr-en"], Origin(run="0123abcd", version="1"))
    assert not list(tmp_path.glob("store/*"))


def widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with weights of 8 bits, as in an earlier export."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.INT8:
            weight = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(np.rint(weight * 127 / LARGEST).astype(np.int8), tensor.name))
    return model


@emulator
@pytest.mark.timeout(900)  # emulation is slow, and the machine may be shared
def test_the_emulated_cpu_saturates_only_beyond_7_bits(tmp_path: Path) -> None:
    columns = [np.full((64, 1), magnitude, np.int8) for magnitude in (127, LARGEST, -LARGEST)]
    onnx.save(product_of(*columns), tmp_path / "product.onnx")
    x = np.full((1, 64), 255, np.uint8)
    found = [int(y[0, 0]) for y in run_emulated(tmp_path / "product.onnx", {"x": x})]
    assert found[0] < 64 * 255 * 127  # otherwise the next test could not detect anything
    assert found[1:] == [64 * 255 * LARGEST, -64 * 255 * LARGEST]


@emulator
@pytest.mark.timeout(900)
def test_the_search_gives_the_same_scores_without_avx512_and_vnni(
    bundles: dict[str, Path], small_params: Params, prepared: dict[str, Path]
) -> None:
    model = build(shipped.fr_en(small_params), prepared["fr-en"])
    assert isinstance(model, Translator)
    path, graph = bundles["translation"] / GRAPH, graph_of(model, module.int8)
    torch.manual_seed(0)
    inputs: dict[str, NDArray[Any]] = {name: value.numpy() for name, value in graph.example(5, 9).items()}
    found = gaps(graph, Session(path)(**inputs), run_emulated(path, inputs))
    assert found.keys() == {"scores"}
    assert found["scores"] <= ROUNDED_TOLERANCE
