"""Write one graph and prove that it computes what the module computes, whatever the shape."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from pipelines.onnx_export.recurrent import translation_table
from pipelines.stage import StageError
from serving.session import Session

Inputs = Mapping[str, Tensor]

TOLERANCE = 1e-4  # largest difference allowed between torch and onnxruntime in any output
# The same where they round numbers to bytes: what they computed differs in its last bits, and a few of them fall to either side.
ROUNDED_TOLERANCE = 1e-2
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
        tolerance: the largest difference allowed.
    """

    name: str
    module: nn.Module
    example: Callable[[int, int], Inputs]
    dynamic: Mapping[str, Mapping[int, str]]
    outputs: Sequence[str]
    proved: Sequence[str] = ()
    tolerance: float = TOLERANCE


def export_graph(graph: Graph, folder: Path) -> float:
    """Write `folder`/NAME.onnx, whose batch size and length are free.

    Returns:
        the largest absolute difference between torch's and onnxruntime's outputs over SHAPES.

    Raises:
        StageError: a dimension came out fixed, or a difference is above the graph's tolerance.
    """
    path = folder / f"{graph.name}.onnx"
    module = graph.module.eval()
    inputs = graph.example(3, 7)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of operators of torchvision, which nothing here uses
    free = {
        "batch": torch.export.Dim("batch"),
        "length": torch.export.Dim("length"),
        "beams": torch.export.Dim("beams", max=WIDEST),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its own internals; what counts is proved below
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            path,
            dynamo=True,
            opset_version=20,
            input_names=list(inputs),
            output_names=list(graph.outputs),
            dynamic_shapes=tuple({i: free[d] for i, d in graph.dynamic.get(name, {}).items()} for name in inputs),
            custom_translation_table=translation_table(),
            external_data=False,
            verbose=False,
        )
    _assert_free(path, graph.dynamic)
    error = max(_difference(graph, path, batch, length) for batch, length in SHAPES)
    if not error <= graph.tolerance:
        raise StageError(f"{path} differs from torch by {error:.2g}, more than {graph.tolerance}")
    return error


def _assert_free(path: Path, dynamic: Mapping[str, Mapping[int, str]]) -> None:
    """The exporter quietly fixes a length that it cannot keep free: look at what it wrote."""
    for declared in onnx.load(path, load_external_data=False).graph.input:
        shape = declared.type.tensor_type.shape.dim
        for index, name in dynamic.get(declared.name, {}).items():
            if not shape[index].dim_param:
                raise StageError(f"{path}: the {name} of input {declared.name!r} came out fixed at {shape[index].dim_value}")


def _difference(graph: Graph, path: Path, batch: int, length: int) -> float:
    inputs = graph.example(batch, length)
    with torch.no_grad():
        expected = graph.module(*inputs.values())
    actual = Session(path)(**{name: value.numpy() for name, value in inputs.items()})
    outputs = zip(graph.outputs, expected if isinstance(expected, tuple) else (expected,), actual, strict=True)
    return max(float(np.abs(e.numpy() - a).max()) for name, e, a in outputs if name in (graph.proved or graph.outputs))
