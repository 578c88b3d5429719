"""A graph computes the same on every CPU: no product of bytes can saturate; where one could, nothing is exported or packed."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.emulated import run_emulated, unavailable
from models.seq2seq import int8 as module
from pipelines.models import build_model
from pipelines.onnx_export.graph import ROUNDED_TOLERANCE, Graph, export_graph, gaps
from pipelines.onnx_export.graphs import graphs_of
from pipelines.onnx_export.saturation import LARGEST, assert_portable
from pipelines.package import Origin, package
from pipelines.params import Params
from pipelines.paths import BUNDLES
from pipelines.settings.section import Serve
from pipelines.stage import StageError
from serving.bundle import GRAPH, Bundle
from serving.session import Session

BUILT = sorted(BUNDLES.glob("*/*.onnx"))  # by `make repro`
Bytes = NDArray[np.int8]

emulator = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))


def product_of(*weights: Bytes) -> onnx.ModelProto:
    """A graph of x [1, n], unsigned bytes, times each of the weights [n, 1], signed bytes."""
    names = [f"w{i}" for i in range(len(weights))]
    nodes = [helper.make_node("MatMulInteger", ["x", name], [f"y{name}"]) for name in names]
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, [1, len(weights[0])])
    outputs = [helper.make_tensor_value_info(f"y{name}", TensorProto.INT32, [1, 1]) for name in names]
    constants = [numpy_helper.from_array(weight, name) for weight, name in zip(weights, names, strict=True)]
    return onnx_model(helper.make_graph(nodes, "product", [x], outputs, constants))


def onnx_model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def hidden(tensor: TensorProto, depth: int, as_node: bool) -> onnx.GraphProto:
    """A graph with a constant inside of so many branches, as an initializer or a node."""
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
def test_a_constant_of_signed_bytes_beyond_7_bits_is_found_wherever_it_stands(
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
    assert max(np.abs(weight.astype(int)).max() for weight in weights) == LARGEST  # there are some, and they use all 7 bits


@pytest.mark.parametrize("path", BUILT, ids=str)
def test_every_graph_that_was_built_here_is_portable(path: Path) -> None:
    assert_portable(path)


@pytest.mark.parametrize("levels", [64, 127])
def test_what_could_saturate_is_not_exported(levels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_what_could_saturate_is_not_packed(bundles: dict[str, Path], prepared: dict[str, Path], tmp_path: Path) -> None:
    bundle, folder = Bundle.load(bundles["translation"]), tmp_path / "fr-en"
    folder.mkdir()
    for name in bundle.files:
        (folder / name).write_bytes((bundles["translation"] / name).read_bytes())
    onnx.save(widened(onnx.load(folder / GRAPH)), folder / GRAPH)
    Bundle.write(folder, **bundle.model_dump(include={"task", "kind", "max_length"}), decoding=bundle.decoding)
    settings = Serve(workers=1, batch_size=1, max_batch_delay_ms=1, deadline_s=5, response_timeout_s=10)
    with pytest.raises(StageError, match="exceed 64 in magnitude"):
        package(folder, settings, tmp_path / "store", prepared["fr-en"], Origin(run="0123abcd", version="1"))
    assert not list(tmp_path.glob("store/*"))


def widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """As it was exported before: weights of 8 bits."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.INT8:
            weight = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(np.rint(weight * 127 / LARGEST).astype(np.int8), tensor.name))
    return model


@emulator
@pytest.mark.timeout(900)  # emulated, and on a machine that others share
def test_the_emulated_cpu_saturates_beyond_7_bits_and_not_within(tmp_path: Path) -> None:
    columns = [np.full((64, 1), magnitude, np.int8) for magnitude in (127, LARGEST, -LARGEST)]
    onnx.save(product_of(*columns), tmp_path / "product.onnx")
    x = np.full((1, 64), 255, np.uint8)
    found = [int(y[0, 0]) for y in run_emulated(tmp_path / "product.onnx", {"x": x})]
    assert found[0] < 64 * 255 * 127  # else the test after this one would not see anything
    assert found[1:] == [64 * 255 * LARGEST, -64 * 255 * LARGEST]


@emulator
@pytest.mark.timeout(900)
def test_the_search_gives_the_same_scores_without_avx512_and_vnni(
    bundles: dict[str, Path], small_params: Params, prepared: dict[str, Path]
) -> None:
    path, (graph,) = bundles["translation"] / GRAPH, graphs_of(build_model(small_params.fr_en, prepared["fr-en"]), module.int8)
    torch.manual_seed(0)
    inputs: dict[str, NDArray[Any]] = {name: value.numpy() for name, value in graph.example(5, 9).items()}
    found = gaps(graph, Session(path)(**inputs), run_emulated(path, inputs))
    assert found.keys() == {"scores"}
    assert found["scores"] <= ROUNDED_TOLERANCE
