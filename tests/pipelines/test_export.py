"""An exported file computes what torch computes, or it is not written off as done."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from pipelines.models import build_model
from pipelines.onnx_export.graph import TOLERANCE, Graph, export_graph, gaps
from pipelines.onnx_export.graphs import graphs_of
from pipelines.params import Params
from pipelines.stage import StageError


@pytest.mark.slow
@pytest.mark.parametrize("task", ["surname", "names", "fr-en", "sentiment"])
def test_every_graph_equals_torch_at_other_shapes(
    task: str, small_params: Params, prepared: dict[str, Path], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    for graph in graphs_of(build_model(small_params.task(task), prepared[task])):
        assert export_graph(graph, tmp_path) <= TOLERANCE
        declared = onnx.load(tmp_path / f"{graph.name}.onnx").graph
        assert [o.name for o in declared.output] == list(graph.outputs)
        for tensor in declared.input:
            free = {i for i, d in enumerate(tensor.type.tensor_type.shape.dim) if d.dim_param}
            assert free == set(graph.dynamic.get(tensor.name, {}))


class Unrolled(nn.Module):
    """A loop over T, which tracing unrolls to the example's length."""

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(x.shape[0])
        for t in range(x.shape[1]):
            state = torch.tanh(state + x[:, t])
        return state


def inputs(batch: int, length: int) -> dict[str, Tensor]:
    return {"x": torch.randn(batch, length)}


def test_a_frozen_length_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"computes by a size of its example.*Constraints violated \(length\)"):
        export_graph(Graph("model", Unrolled(), inputs, {"x": {0: "batch", 1: "length"}}, ["y"]), tmp_path)


class Changed(nn.Module):
    """Computes something else where it is exported."""

    def __init__(self, change: float) -> None:
        super().__init__()
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change if torch.compiler.is_exporting() else x


@pytest.mark.parametrize("rounded", [False, True])
def test_a_difference_is_an_error_that_says_what_to_do(rounded: bool, tmp_path: Path) -> None:
    graph = Graph("model", Changed(0.5), inputs, {"x": {0: "batch", 1: "length"}}, ["y"], rounded=rounded)
    allowed = "0.01" if rounded else "0.0001"
    with pytest.raises(StageError, match=rf"differs from torch by 0\.5, more than {allowed} \(output 'y', batch size") as raised:
        export_graph(graph, tmp_path)
    message = str(raised.value)
    assert "other answers than the model that was trained" in message
    assert f"onnxruntime {version('onnxruntime')}" in message
    assert ("`export.weights: float32` in params.yaml" in message) == rounded
    assert "constraints.txt" in message
    assert "\n" not in message


def test_what_is_not_a_number_is_an_error_of_the_training(tmp_path: Path) -> None:
    graph = Graph("model", Changed(float("nan")), inputs, {"x": {0: "batch", 1: "length"}}, ["y"])
    with pytest.raises(StageError, match=r"by nan, .* most likely the training diverged.*train\.learning_rate"):
        export_graph(graph, tmp_path)


def test_where_both_are_infinite_there_is_no_difference_and_elsewhere_a_nan_is_one() -> None:
    graph = Graph("model", Changed(0), inputs, {}, ["a", "b", "c"], proved=("a", "b"))
    ours = [np.array(values, np.float32) for values in ([-np.inf, 1.0], [0.0, 1.0], [0.0])]
    theirs = [np.array(values, np.float32) for values in ([-np.inf, 1.5], [np.nan, 1.0], [9.0])]
    found = gaps(graph, ours, theirs)
    assert found.keys() == {"a", "b"}
    assert found["a"] == 0.5
    assert np.isnan(found["b"])


@pytest.mark.parametrize(("rounded", "different", "found"), [(True, 1, 0.25), (True, 2, 9.0), (False, 1, 9.0)])
def test_a_rounded_search_is_compared_by_what_both_found(rounded: bool, different: int, found: float) -> None:
    """As long as that is nearly all: where much differs, the difference is no matter of rounding."""
    graph = Graph("model", Changed(0), inputs, {}, ["tokens", "scores"], proved=("scores",), rounded=rounded, choices="tokens")
    tokens, scores = np.arange(12.0, dtype=np.float32).reshape(2, 3, 2), np.zeros((2, 3), np.float32)
    other_tokens, other_scores = tokens.copy(), scores + np.float32(0.25)
    other_tokens[0, :different, 1] += 1  # of one hypothesis in six, or two
    other_scores[0, :different] = 9
    assert gaps(graph, [tokens, scores], [other_tokens, other_scores]) == {"scores": found}


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(TypeError, match="Linear"):
        graphs_of(nn.Linear(1, 1))


def test_dropout_is_off_in_what_is_exported(small_params: Params, prepared: dict[str, Path], tmp_path: Path) -> None:
    model = build_model(small_params.surname, prepared["surname"]).train()
    (graph,) = graphs_of(model)
    export_graph(replace(graph, name="trained"), tmp_path)
    operators = {node.op_type for node in onnx.load(tmp_path / "trained.onnx").graph.node}
    assert "Dropout" not in operators
    assert "GRU" in operators
