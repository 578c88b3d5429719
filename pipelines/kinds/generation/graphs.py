"""The language model's ONNX graph."""

from pathlib import Path
from typing import Any

import torch

from models.generation.graph import LanguageModelGraph
from models.generation.language_model import LanguageModel
from pipelines.data.prepared import read_labels
from pipelines.kinds.generation.settings import GenerationTask
from pipelines.onnx_export.examples import ROWS, UNITS, ids
from pipelines.onnx_export.graph import Graph, Inputs


def graphs(model: LanguageModel, _: GenerationTask) -> list[Graph]:
    """See `pipelines.kinds.parts.Graphs`."""

    def example(batch: int, length: int) -> Inputs:
        return {
            "characters": ids(model.embedding.num_embeddings, batch, length),
            "label": torch.randint(model.label.num_embeddings, (batch,)),
            "state": torch.randn(batch, model.rnn.state_size),
        }

    dynamic = {"characters": UNITS, "label": ROWS, "state": ROWS}
    return [Graph("model", LanguageModelGraph(model), example, dynamic, ["logits", "next_state"])]


def description(_: LanguageModel, __: GenerationTask, prepared: Path) -> dict[str, Any]:
    """See `pipelines.kinds.parts.Graphs`."""
    return {"labels": tuple(read_labels(prepared))}
