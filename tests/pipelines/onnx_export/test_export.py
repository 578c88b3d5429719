"""An exported file equals torch, or the export fails."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import pytest
import shipped
import torch
from torch import Tensor, nn

from pipelines.kinds import parts
from pipelines.onnx_export.graph import ROUNDED_TOLERANCE, TOLERANCE, Graph, export_graph, gaps
from pipelines.settings.params import Params
from pipelines.stage import StageError


@pytest.mark.slow
@pytest.mark.parametrize("task", ["surname", "names", "fr-en", "sentiment"])
def test_every_graph_equals_torch_at_other_shapes(
    task: str, small_params: Params, prepared: dict[str, Path], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    settings = small_params.task(task)
    for graph in parts.graphs(settings).graphs(parts.build(settings, prepared[task]), settings):
        assert export_graph(graph, tmp_path) <= (ROUNDED_TOLERANCE if graph.rounded else TOLERANCE)
        declared = onnx.load(tmp_path / f"{graph.name}.onnx").graph
        assert [o.name for o in declared.output] == list(graph.outputs)
        for tensor in declared.input:
            free = {i for i, d in enumerate(tensor.type.tensor_type.shape.dim) if d.dim_param}
            assert free == set(graph.dynamic.get(tensor.name, {}))


class Unrolled(nn.Module):
    """A loop over T, which tracing unrolls for the example's length."""

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(x.shape[0])
        for t in range(x.shape[1]):
            state = torch.tanh(state + x[:, t])
        return state


def inputs(batch: int, length: int) -> dict[str, Tensor]:
    return {"x": torch.randn(batch, length)}


def test_a_fixed_length_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"depends on a size of its example.*Constraints violated \(length\)"):
        export_graph(Graph("model", Unrolled(), inputs, {"x": {0: "batch", 1: "length"}}, ["y"]), tmp_path)


class Changed(nn.Module):
    """Gives a different result when exported."""

    def __init__(self, change: float) -> None:
        super().__init__()
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change if torch.compiler.is_exporting() else x


@pytest.mark.parametrize("rounded", [False, True])
def test_a_difference_is_an_error_with_advice(rounded: bool, tmp_path: Path) -> None:
    graph = Graph("model", Changed(0.5), inputs, {"x": {0: "batch", 1: "length"}}, ["y"], rounded=rounded)
    allowed = "0.01" if rounded else "0.0001"
    with pytest.raises(StageError, match=rf"differs from torch by 0\.5, more than {allowed} \(output 'y', batch size") as raised:
        export_graph(graph, tmp_path)
    message = str(raised.value)
    assert "other answers than the trained model" in message
    assert f"onnxruntime {version('onnxruntime')}" in message
    assert ("`export.weights: float32` in params.yaml" in message) == rounded
    assert "constraints.txt" in message
    assert "\n" not in message


def test_nan_is_reported_as_diverged_training(tmp_path: Path) -> None:
    graph = Graph("model", Changed(float("nan")), inputs, {"x": {0: "batch", 1: "length"}}, ["y"])
    with pytest.raises(StageError, match=r"by nan, .* most likely the training diverged.*train\.learning_rate"):
        export_graph(graph, tmp_path)


def test_equal_infinities_do_not_differ_and_nan_does() -> None:
    graph = Graph("model", Changed(0), inputs, {}, ["a", "b", "c"], proved=("a", "b"))
    ours = [np.array(values, np.float32) for values in ([-np.inf, 1.0], [0.0, 1.0], [0.0])]
    theirs = [np.array(values, np.float32) for values in ([-np.inf, 1.5], [np.nan, 1.0], [9.0])]
    found = gaps(graph, ours, theirs)
    assert found.keys() == {"a", "b"}
    assert found["a"] == 0.5
    assert np.isnan(found["b"])


@pytest.mark.parametrize(("rounded", "different", "found"), [(True, 1, 0.25), (True, 2, 9.0), (False, 1, 9.0)])
def test_a_rounded_search_is_compared_on_common_hypotheses(rounded: bool, different: int, found: float) -> None:
    """Only if nearly all are common: larger differences are not due to rounding."""
    graph = Graph("model", Changed(0), inputs, {}, ["tokens", "scores"], proved=("scores",), rounded=rounded, choices="tokens")
    tokens, scores = np.arange(12.0, dtype=np.float32).reshape(2, 3, 2), np.zeros((2, 3), np.float32)
    other_tokens, other_scores = tokens.copy(), scores + np.float32(0.25)
    other_tokens[0, :different, 1] += 1  # of one hypothesis in six, or two
    other_scores[0, :different] = 9
    assert gaps(graph, [tokens, scores], [other_tokens, other_scores]) == {"scores": found}


def test_dropout_is_off_in_the_exported_graph(small_params: Params, prepared: dict[str, Path], tmp_path: Path) -> None:
    settings = shipped.surname(small_params)
    model = parts.build(settings, prepared["surname"]).train()
    (graph,) = parts.graphs(settings).graphs(model, settings)
    export_graph(replace(graph, name="trained"), tmp_path)
    operators = {node.op_type for node in onnx.load(tmp_path / "trained.onnx").graph.node}
    assert "Dropout" not in operators
    assert "GRU" in operators
