"""Versions in a real MLflow registry, as the pipeline registers them."""

from pathlib import Path
from typing import Any


def client(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def register(uri: str, task: str, archive: Path | None = None, version: str = "") -> str:
    """Register a version of a task's model, with its archive if it has one, and return its number."""
    at, name = client(uri), f"seqline-{task}"
    found = at.get_experiment_by_name("seqline")
    run = at.create_run(found.experiment_id if found else at.create_experiment("seqline"))
    if not at.search_registered_models(f"name = '{name}'"):
        at.create_registered_model(name)
    number = str(at.create_model_version(name, f"runs:/{run.info.run_id}/model", run.info.run_id).version)
    if archive:
        for path in (archive, archive.with_suffix(".sha256")):
            at.log_artifact(run.info.run_id, str(path), "archive")
        at.set_model_version_tag(name, number, "archive", version)
    return number


def point(uri: str, task: str, alias: str, number: str) -> None:
    client(uri).set_registered_model_alias(f"seqline-{task}", alias, number)


def tags(uri: str, task: str, number: str) -> dict[str, str]:
    found: dict[str, str] = client(uri).get_model_version(f"seqline-{task}", number).tags
    return found
