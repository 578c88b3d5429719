"""The classifiers' ONNX graphs."""

from pathlib import Path
from typing import Any

from torch import nn

from models.classification.attentive_classifier import AttentiveClassifier
from models.classification.classifier import Classifier
from models.classification.graph import ClassifierGraph, SubwordClassifierGraph, WordClassifierGraph
from pipelines.data.prepared import read_labels
from pipelines.kinds.classification.settings import ClassificationTask, WordsTask
from pipelines.onnx_export.examples import ROWS, UNITS, ids, lengths
from pipelines.onnx_export.graph import Graph, Inputs


def graphs(model: Classifier | AttentiveClassifier, task: ClassificationTask) -> list[Graph]:
    """See `pipelines.kinds.parts.Graphs`."""

    def example(batch: int, length: int) -> Inputs:
        return {task.units: ids(model.embedding.num_embeddings, batch, length), "lengths": lengths(batch, length)}

    outputs = ["logits"] if isinstance(model, Classifier) else ["logits", "importances"]
    return [Graph("model", _module(model, task), example, {task.units: UNITS, "lengths": ROWS}, outputs)]


def _module(model: Classifier | AttentiveClassifier, task: ClassificationTask) -> nn.Module:
    if isinstance(model, Classifier):
        return ClassifierGraph(model)
    return WordClassifierGraph(model) if isinstance(task, WordsTask) else SubwordClassifierGraph(model)


def description(model: Classifier | AttentiveClassifier, _: ClassificationTask, prepared: Path) -> dict[str, Any]:
    """See `pipelines.kinds.parts.Graphs`."""
    return {"labels": tuple(read_labels(prepared)), "temperature": float(model.temperature)}
