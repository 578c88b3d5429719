"""Stage `export`: convert weights to a bundle of ONNX files for serving. `python -m pipelines.stages.export TASK`."""

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_model
from torch import nn

from models.text.json_files import write_json
from pipelines.kinds import parts
from pipelines.onnx_export.graph import export_graph
from pipelines.paths import BUNDLES, METRICS, PREPARED, WEIGHTS
from pipelines.settings.params import load_params
from pipelines.settings.tasks import Task
from pipelines.stage import run_stage
from pipelines.tracking.runs import track
from serving.bundle import Bundle
from serving.endpoints.kinds import contract


def export(name: str, task: Task, model: nn.Module, prepared: Path, folder: Path) -> float:
    """Write the bundle of a model.

    Returns:
        the largest difference between torch's and onnxruntime's outputs, see `export_graph`.
    """
    part = parts.graphs(task)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.manual_seed(0)  # for the example inputs of the comparison with torch
    error = max(export_graph(graph, folder) for graph in part.graphs(model, task))
    for file in contract(task.kind).FILES:  # serving preprocesses texts the same way
        if (prepared / file).is_file():
            shutil.copyfile(prepared / file, folder / file)
    description = part.description(model, task, prepared)
    Bundle.write(folder, task=name, kind=task.kind, max_length=task.export.max_length, **description)
    return error


def main(name: str) -> None:
    """Write build/bundles/TASK and metrics/export/TASK.json."""
    task = load_params().task(name)
    model = parts.build(task, PREPARED / name)
    load_model(model, WEIGHTS / name / "model.safetensors")
    with track("export", name) as run:
        metrics = {"onnx_max_abs_error": export(name, task, model, PREPARED / name, BUNDLES / name)}
        write_json(METRICS / "export" / f"{name}.json", metrics)
        run.metrics(metrics)


if __name__ == "__main__":
    run_stage(main)
