"""Write one graph and prove that it computes what the module computes, whatever the shape."""

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
from serving.session import Session

Inputs = Mapping[str, Tensor]

TOLERANCE = 1e-4  # largest difference allowed between torch and onnxruntime in any output
# The same where they round numbers to bytes: what they computed differs in its last bits, and a few of them fall to either side.
ROUNDED_TOLERANCE = 1e-2
SAME = 0.8  # least share of hypotheses that two ways to compute a rounded search have in common
WIDEST = 20  # beam
SHAPES = ((1, 1), (5, 9), (16, 31))  # batch sizes and lengths of the proof, none of them the example's


@dataclass(frozen=True)
class Graph:
    """A module to be exported.

    Args:
        name: file name without its suffix.
        module: takes and returns tensors alone.
        example: makes inputs, by name and in order, for a batch size and a length.
        dynamic: input name -> its dimensions that vary, by index: "batch", "length" or "beams".
        outputs: names of the outputs.
        proved: names of those that are compared with torch's; all where none is named. A search's outputs are discrete: where two
            hypotheses are equally good but for rounding, torch and onnxruntime may order them differently, and only scores agree.
        rounded: whether numbers are rounded to bytes in it.
        choices: name of the output that tells what was chosen; see `gaps`.
        loops: whether the module has a `while_loop`, which only torch's strict way of tracing can keep.
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
        """The largest difference allowed between two ways to compute it."""
        return ROUNDED_TOLERANCE if self.rounded else TOLERANCE


def export_graph(graph: Graph, folder: Path) -> float:
    """Write `folder`/NAME.onnx, whose batch size and length are free.

    Returns:
        the largest absolute difference between torch's and onnxruntime's outputs over SHAPES.

    Raises:
        StageError: a dimension cannot stay free, a product could saturate on some CPU, or a difference is above the tolerance.
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
    """The largest difference between two ways to compute the graph, for each output that is compared.

    Where bytes round to either side, a search may take another of two hypotheses that are equally good to it, with another score.
    So a rounded graph is compared by the hypotheses that are the same in both, as long as nearly all are; by all of them, if not.
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
    with np.errstate(invalid="ignore"):  # -inf from -inf; where a search found fewer hypotheses than it may, both have it
        return float(np.where(expected == actual, 0, np.abs(expected - actual)).max(initial=0))


def _write(graph: Graph, path: Path) -> None:
    """Trace the module once and export what came of it; left to trace it by itself, the exporter tries several ways."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of operators of torchvision, which nothing here uses
    inputs = graph.example(3, 7)
    free = {
        "batch": torch.export.Dim("batch"),
        "length": torch.export.Dim("length"),
        "beams": torch.export.Dim("beams", max=WIDEST),
    }
    shapes = tuple({i: free[d] for i, d in graph.dynamic.get(name, {}).items()} for name in inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its own internals; what counts is proved by the caller
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
    # Sizes of 0 and 1 are no special cases: the exporter sets it so where it traces, and SHAPES proves that it holds.
    general = fx_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]  # put there at run time
    try:
        with general:
            return torch.export.export(
                graph.module.eval(),
                tuple(inputs.values()),
                dynamic_shapes=shapes,
                strict=graph.loops,
                prefer_deferred_runtime_asserts_over_guards=True,  # the example's sizes bind no others
            )
    except UserError as error:
        why = " ".join(line.strip() for line in str(error).splitlines()[:2])
        raise StageError(
            f"{path}: the module computes by a size of its example, where any has to do; look for Python loops and branches over "
            f"sizes in it, and for layers that torch unrolls. torch says: {why}"
        ) from error


def _gaps_from_torch(graph: Graph, path: Path, batch: int, length: int) -> list[Gap]:
    inputs = graph.example(batch, length)
    with torch.no_grad():
        expected = graph.module(*inputs.values())
    expected = [e.numpy() for e in (expected if isinstance(expected, tuple) else (expected,))]
    actual = Session(path)(**{name: value.numpy() for name, value in inputs.items()})
    return [Gap(name, batch, length, size) for name, size in gaps(graph, expected, actual).items()]
