"""Finds graphs whose products of bytes would saturate on some CPUs and give different results there."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, numpy_helper

from pipelines.stage import StageError

# On CPUs without VNNI, VPMADDUBSW multiplies unsigned by signed bytes and adds two products in 16 bits:
# 2 * 255 * 64 = 32,640 fits, 2 * 255 * 65 = 33,150 is above 32,767 and saturates.
LARGEST = 64


def assert_portable(path: Path) -> None:
    """Check that the graph gives the same results on every CPU.

    All constants of signed bytes are checked, whatever uses them: ONNX Runtime moves and fuses operators before it multiplies.
    Unsigned bytes are not: products of two of them are added in 32 bits everywhere.

    Raises:
        StageError: a constant of signed bytes is larger than LARGEST.
    """
    model = onnx.load(path, load_external_data=False)
    largest = {tensor.name: _magnitude(tensor, path.parent) for tensor in _constants(model)}
    wide = {name: magnitude for name, magnitude in largest.items() if magnitude > LARGEST}
    if wide:
        name, magnitude = max(wide.items(), key=lambda item: item[1])
        raise StageError(
            f"{path} would give other results on CPUs without VNNI, where products of bytes saturate: {len(wide)} of its "
            f"int8 constants exceed {LARGEST} in magnitude, {name!r} with {magnitude}. Quantize its weights to 7 bits "
            "(models.translation.int8 does; with onnxruntime's quantizer: reduce_range=True), or export it in float32 "
            "(`export.weights: float32` in params.yaml)"
        )


def _constants(model: onnx.ModelProto) -> Iterator[TensorProto]:
    yield from _in_graph(model.graph)
    for function in model.functions:
        yield from _in_nodes(function.node)


def _in_graph(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    yield from _in_nodes(graph.node)


def _in_nodes(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    """Constants in `Constant` nodes and in the bodies of loops and branches."""
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from _in_graph(attribute.g)
            for graph in attribute.graphs:
                yield from _in_graph(graph)


def _magnitude(tensor: TensorProto, folder: Path) -> int:
    """The largest magnitude of signed bytes; 0 for other types."""
    if tensor.data_type != TensorProto.INT8:
        return 0
    values = numpy_helper.to_array(tensor, str(folder))
    return int(np.abs(values.astype(np.int32)).max(initial=0))
