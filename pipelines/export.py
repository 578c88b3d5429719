"""Stage `export`: from weights to a bundle of ONNX files that serving loads. `python -m pipelines.export TASK`."""

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_model
from torch import nn

from models.attentive_classifier import AttentiveClassifier
from models.classifier import Classifier
from models.recurrent.affine import exact
from models.seq2seq.int8 import int8
from pipelines.models import build_model
from pipelines.onnx_export.graph import export_graph
from pipelines.onnx_export.graphs import graphs_of
from pipelines.params import load_params
from pipelines.paths import BUNDLES, METRICS, PREPARED, WEIGHTS
from pipelines.preparation.prepared import read_labels
from pipelines.settings.tasks import NamesTask, Task, TranslationTask
from pipelines.stage import run_stage, write_json
from pipelines.tracking import track
from serving.bundle import TOKENIZER, Bundle, Decoding, Kind


def export(task: str, settings: Task, model: nn.Module, prepared: Path, folder: Path) -> float:
    """Write the bundle of a model.

    Returns:
        the largest difference between torch's and onnxruntime's outputs, see `export_graph`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.manual_seed(0)  # of the examples that the proof feeds
    make = int8 if isinstance(settings, TranslationTask) and settings.export.weights == "int8" else exact
    error = max(export_graph(graph, folder) for graph in graphs_of(model, make))
    shutil.copyfile(prepared / "tokenizer.json", folder / TOKENIZER)
    if isinstance(settings, TranslationTask):
        decoding = Decoding.model_validate(settings.export.model_dump(include={*Decoding.model_fields}))
        Bundle.write(folder, task=task, kind="translation", max_length=settings.export.max_length, decoding=decoding)
    else:
        kind: Kind = "generation" if isinstance(settings, NamesTask) else "classification"
        temperature = float(model.temperature) if isinstance(model, Classifier | AttentiveClassifier) else 1.0
        labels, length = tuple(read_labels(prepared)), settings.export.max_length
        Bundle.write(folder, task=task, kind=kind, max_length=length, labels=labels, temperature=temperature)
    return error


def main(task: str) -> None:
    """Write build/bundles/TASK and metrics/export/TASK.json."""
    settings = load_params().task(task)
    model = build_model(settings, PREPARED / task)
    load_model(model, WEIGHTS / task / "model.safetensors")
    with track("export", task) as run:
        metrics = {"onnx_max_abs_error": export(task, settings, model, PREPARED / task, BUNDLES / task)}
        write_json(METRICS / "export" / f"{task}.json", metrics)
        run.metrics(metrics)


if __name__ == "__main__":
    run_stage(main)
