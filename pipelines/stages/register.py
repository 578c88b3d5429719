"""Stage `register`: register a task's model in MLflow's model registry. `python -m pipelines.stages.register TASK`."""

import json
import warnings
from importlib.metadata import version
from pathlib import Path

import models
import serving
from models.text.json_files import write_json
from pipelines.paths import BUNDLES, METRICS, REGISTERED
from pipelines.stage import run_stage
from pipelines.tracking.runs import track
from serving import handlers
from serving.registry import named

CODE = Path(handlers.__file__).with_name("registered.py")  # the model's code, as loaded by MLflow
PACKAGES = [room.__path__[0] for room in (models, serving)]  # imported by CODE
NEEDED = ("anyascii", "mlflow", "numpy", "onnxruntime", "pydantic", "sentencex", "tokenizers")  # dependencies of PACKAGES
RETRIES = 7  # of MLflow's own requests: about four minutes for a server that is restarting


def register(run_id: str, task: str, folder: str) -> str:
    """Register a bundle and the code that serves it as the newest version of the model seqline-TASK.

    Args:
        run_id: id of the run that the model belongs to.
        task: the model's task.
        folder: the bundle.

    Returns:
        the version.
    """
    import mlflow  # here, since it takes seconds, and this may run in another process
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    name = named(task)
    with mlflow.start_run(run_id=run_id), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about unusable type hints and the given schema
        logged = mlflow.pyfunc.log_model(
            name=name,
            registered_model_name=name,
            python_model=str(CODE),
            code_paths=PACKAGES,
            artifacts={"bundle": folder},
            signature=ModelSignature(
                inputs=Schema([ColSpec("string")]), params=ParamSchema([ParamSpec("parameters", "string", "{}")])
            ),
            pip_requirements=[f"{package}=={version(package)}" for package in NEEDED],  # else MLflow infers them by loading it
        )
    return str(logged.registered_model_version)


def registration(run_id: str, task: str, number: str) -> dict[str, str]:
    """The content of build/registered/TASK.json. Its digest in dvc.lock also identifies the version, see `pipelines.lineage`."""
    return {"run_id": run_id, "model": named(task), "version": number}


def main(task: str) -> None:
    """Write build/registered/TASK.json: the registered model, its version and its run. It becomes the task's challenger."""
    with track("register", task, retries=RETRIES) as run:
        number = run.call("pipelines.stages.register:register", task, str(BUNDLES / task))
        run.metrics(json.loads((METRICS / f"{task}.json").read_text(encoding="utf-8")))
        run.call("pipelines.promotion.offer:offer", task, number)
        write_json(REGISTERED / f"{task}.json", registration(run.run_id, task, number))


if __name__ == "__main__":
    run_stage(main)
