"""Exports a graph and verifies that its outputs match the module's for several shapes."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._dynamo.exc import UserError
from torch.fx.experimental import _config as fx_settings

from pipelines.onnx_export.parity import Gap, explain
from pipelines.onnx_export.recurrent import translation_table
from pipelines.onnx_export.saturation import assert_portable
from pipelines.stage import StageError
from serving.predictors.session import Session

Inputs = Mapping[str, Tensor]

TOLERANCE = 1e-4  # largest difference allowed between torch and onnxruntime in any output
# The same for graphs that round to bytes: intermediate results differ in the last bits, so a few are rounded differently.
ROUNDED_TOLERANCE = 1e-2
SAME = 0.8  # minimum share of hypotheses that two runs of a rounded search have in common
WIDEST = 20  # maximum beam width
SHAPES = ((1, 1), (5, 9), (16, 31))  # batch sizes and lengths for the verification, other than the example's


@dataclass(frozen=True)
class Graph:
    """A module to be exported.

    Args:
        name: file name without its suffix.
        module: its inputs and outputs are all tensors.
        example: creates inputs, by name and in order, for a batch size and a length.
        dynamic: input name -> its dynamic dimensions, by index: "batch", "length" or "beams".
        outputs: names of the outputs.
        proved: names of the outputs that are compared with torch; all if empty. A search's outputs are discrete: if two
            hypotheses are equally good except for rounding, torch and onnxruntime may order them differently, and only the
            scores agree.
        rounded: whether the graph rounds numbers to bytes.
        choices: name of the output with the chosen hypotheses; see `gaps`.
        loops: whether the module has a `while_loop`, which only torch's strict tracing supports.
    """

    name: str
    module: nn.Module
    example: Callable[[int, int], Inputs]
    dynamic: Mapping[str, Mapping[int, str]]
    outputs: Sequence[str]
    proved: Sequence[str] = ()
    rounded: bool = False
    choices: str = ""
    loops: bool = False

    @property
    def tolerance(self) -> float:
        """The largest difference allowed between two runs of the graph, such as in torch and in onnxruntime."""
        return ROUNDED_TOLERANCE if self.rounded else TOLERANCE


def export_graph(graph: Graph, folder: Path) -> float:
    """Write `folder`/NAME.onnx, with dynamic batch size and length.

    Returns:
        the largest absolute difference between torch's and onnxruntime's outputs over SHAPES.

    Raises:
        StageError: a dimension cannot be dynamic, a product could saturate on some CPUs, or a difference exceeds the tolerance.
    """
    path = folder / f"{graph.name}.onnx"
    _write(graph, path)
    assert_portable(path)
    found = [gap for batch, length in SHAPES for gap in _gaps_from_torch(graph, path, batch, length)]
    worst = max(found, key=lambda gap: np.inf if np.isnan(gap.size) else gap.size)
    if not worst.size <= graph.tolerance:
        raise StageError(explain(path, worst, graph.tolerance, rounded=graph.rounded))
    return worst.size


def gaps(graph: Graph, expected: Sequence[NDArray[np.float32]], actual: Sequence[NDArray[np.float32]]) -> dict[str, float]:
    """The largest difference between expected and actual values, for each compared output.

    If bytes are rounded differently, a search may choose the other of two equally good hypotheses, with a different score.
    Rounded graphs are therefore compared on the hypotheses that are the same in both if these are nearly all, otherwise on
    all of them.
    """
    ours, theirs = (dict(zip(graph.outputs, outputs, strict=True)) for outputs in (expected, actual))
    compared = graph.proved or graph.outputs
    if not (graph.rounded and graph.choices):
        return {name: _largest(ours[name], theirs[name]) for name in compared}
    same = (ours[graph.choices] == theirs[graph.choices]).all(-1)
    if same.mean() < SAME:
        same[:] = True
    return {name: _largest(ours[name][same], theirs[name][same]) for name in compared}


def _largest(expected: NDArray[np.float32], actual: NDArray[np.float32]) -> float:
    with np.errstate(invalid="ignore"):  # -inf minus -inf, for hypotheses that a search did not find
        return float(np.where(expected == actual, 0, np.abs(expected - actual)).max(initial=0))


def _write(graph: Graph, path: Path) -> None:
    """Trace the module and export the result; if the exporter traced it itself, it would try several strategies."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns about torchvision operators, which are not used here
    inputs = graph.example(3, 7)
    free = {
        "batch": torch.export.Dim("batch"),
        "length": torch.export.Dim("length"),
        "beams": torch.export.Dim("beams", max=WIDEST),
    }
    shapes = tuple({i: free[d] for i, d in graph.dynamic.get(name, {}).items()} for name in inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about torch's internals; the caller verifies the result
        traced = _trace(graph, inputs, shapes, path)
        torch.onnx.export(
            traced,
            f=path,
            dynamo=True,
            opset_version=20,
            input_names=list(inputs),
            output_names=list(graph.outputs),
            dynamic_shapes=shapes,
            custom_translation_table=translation_table(),
            external_data=False,
            verbose=False,
        )


def _trace(graph: Graph, inputs: Inputs, shapes: tuple[Mapping[int, Any], ...], path: Path) -> torch.export.ExportedProgram:
    # Do not specialize on sizes 0 and 1. The exporter sets this too when it traces; SHAPES verifies the result.
    general = fx_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]  # added at run time
    try:
        with general:
            return torch.export.export(
                graph.module.eval(),
                tuple(inputs.values()),
                dynamic_shapes=shapes,
                strict=graph.loops,
                prefer_deferred_runtime_asserts_over_guards=True,  # do not specialize on the example's sizes
            )
    except UserError as error:
        why = " ".join(line.strip() for line in str(error).splitlines()[:2])
        raise StageError(
            f"{path}: the module depends on a size of its example, but has to work for any; look for Python loops and branches "
            f"over sizes, and for layers that torch unrolls. torch says: {why}"
        ) from error


def _gaps_from_torch(graph: Graph, path: Path, batch: int, length: int) -> list[Gap]:
    inputs = graph.example(batch, length)
    with torch.no_grad():
        expected = graph.module(*inputs.values())
    expected = [e.numpy() for e in (expected if isinstance(expected, tuple) else (expected,))]
    actual = Session(path)(**{name: value.numpy() for name, value in inputs.items()})
    return [Gap(name, batch, length, size) for name, size in gaps(graph, expected, actual).items()]
