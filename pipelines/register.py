"""Stage `register`: put a task's model into MLflow's model registry. `python -m pipelines.register TASK`."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.text.special import UNK
from pipelines.paths import BUNDLES, METRICS, REGISTERED
from pipelines.stage import run_stage, write_json
from pipelines.tracking import track
from serving.bundle import GRAPH

if TYPE_CHECKING:  # imported where `register` is called: that takes seconds, and may be in another process
    import mlflow
    import onnx

NEEDED = ("mlflow", "numpy", "onnx", "onnxruntime")  # packages that a registered model needs
RETRIES = 7  # of MLflow's own requests: some four minutes for a server that is starting again
ROWS, UNITS = 2, 5  # batch size and length of the input example


def register(run_id: str, task: str, folder: str) -> str:
    """Put what a bundle holds into the registry, as the newest version of the registered model seqline-TASK.

    Args:
        run_id: of the run that the model is of.
        task: the model's.
        folder: the bundle.

    Returns:
        the version.
    """
    import mlflow

    name, bundle = f"seqline-{task}", Path(folder)
    with mlflow.start_run(run_id=run_id) as active:
        return _register_graph(name, bundle) if (bundle / GRAPH).exists() else _register_files(name, bundle, active)


def _register_graph(name: str, bundle: Path) -> str:
    """The model's graph, with its signature and an input example."""
    import mlflow
    import onnx
    from mlflow.models import infer_signature

    from serving.session import Session

    model = onnx.load(bundle / GRAPH)
    example = input_example(model)
    outputs = dict(zip((o.name for o in model.graph.output), Session(bundle / GRAPH)(**example), strict=True))
    logged = mlflow.onnx.log_model(
        model,
        name=name,
        registered_model_name=name,
        signature=infer_signature(example, outputs),
        input_example=example,
        onnx_execution_providers=["CPUExecutionProvider"],
        pip_requirements=[f"{package}=={version(package)}" for package in NEEDED],  # else MLflow loads it to find out
    )
    return str(logged.registered_model_version)


def _register_files(name: str, bundle: Path, run: "mlflow.ActiveRun") -> str:
    """The files of a bundle that is no graph that MLflow could run, as they are."""
    import mlflow

    mlflow.log_artifacts(str(bundle), "bundle")
    client = mlflow.MlflowClient()
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    return str(client.create_model_version(name, f"{run.info.artifact_uri}/bundle", run.info.run_id).version)


def input_example(model: "onnx.ModelProto") -> dict[str, Any]:
    """Small inputs that the graph accepts: one id everywhere, every length the longest, zeros for numbers."""
    from onnx import TensorProto

    example: dict[str, Any] = {}
    for declared in model.graph.input:
        dims = declared.type.tensor_type.shape.dim
        shape = [d.dim_value or (ROWS if i == 0 else UNITS) for i, d in enumerate(dims)]
        if declared.type.tensor_type.elem_type == TensorProto.FLOAT:
            example[declared.name] = np.zeros(shape, dtype=np.float32)
        else:
            example[declared.name] = np.full(shape, UNITS if declared.name.endswith("lengths") else UNK, dtype=np.int64)
    return example


def main(task: str) -> None:
    """Write build/registered/TASK.json: what was registered, and in which run."""
    with track("register", task, retries=RETRIES) as run:
        number = run.call("pipelines.register:register", task, str(BUNDLES / task))
        run.metrics(json.loads((METRICS / f"{task}.json").read_text(encoding="utf-8")))
        write_json(REGISTERED / f"{task}.json", {"run_id": run.run_id, "model": f"seqline-{task}", "version": number})


if __name__ == "__main__":
    run_stage(main)
