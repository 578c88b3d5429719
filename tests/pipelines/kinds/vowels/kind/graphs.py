"""The model's ONNX graph."""

from typing import Any

from pipelines.kinds.vowels.model import Counter, CounterGraph

from pipelines.onnx_export.examples import UNITS, ids
from pipelines.onnx_export.graph import Graph
from pipelines.settings.tasks import Task


def graphs(model: Counter, _: Task) -> list[Graph]:
    def example(batch: int, length: int) -> dict[str, Any]:
        return {"characters": ids(model.embedding.num_embeddings, batch, length)}

    return [Graph("model", CounterGraph(model), example, {"characters": UNITS}, ["vowels"])]


def description(*_: Any) -> dict[str, Any]:
    return {}
