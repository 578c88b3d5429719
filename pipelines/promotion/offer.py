"""Puts a registered model up as its task's challenger, with what a person needs to judge it."""

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import yaml

from pipelines.data.catalogue import load_catalogue
from pipelines.lineage.rows import ARTIFACT as ROWS
from pipelines.lineage.rows import Digests, row_digests
from pipelines.paths import CATALOGUE, LOCK, METRICS, PREPARED
from pipelines.promotion.names import CARD, CHALLENGER, LONGEST
from pipelines.report.card import Training, card
from pipelines.settings.params import load_params
from pipelines.stage import threads
from serving.registry import named

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput


def offer(run_id: str, task: str, number: str) -> str:
    """Log a model's card and the digests of its data and rows, and give it the alias of a challenger.

    Args:
        run_id: id of the run that registered it.
        task: the model's task, or the word vectors' name.
        number: its version in the registry.

    Returns:
        the version.
    """
    import mlflow  # here, since it takes seconds, and this may run in another process

    client, params, catalogue = mlflow.MlflowClient(), load_params(), load_catalogue(CATALOGUE)
    metrics = json.loads((METRICS / f"{task}.json").read_text(encoding="utf-8"))
    text = card(task, params, catalogue, metrics, _training(client, run_id, task))
    _, sets = params.described(task)
    digests = _prepared(task) | {name: _combined([file.sha256 for file in catalogue[name].files]) for name in sets}
    client.log_text(run_id, text, CARD)
    if task in params.tasks:
        _log_rows(client, run_id, row_digests(PREPARED / task, params.task(task)))
    client.log_inputs(run_id, [_dataset(name, digest) for name, digest in digests.items()])
    client.update_model_version(named(task), number, text[:LONGEST])
    client.set_registered_model_alias(named(task), CHALLENGER, number)
    return number


def _log_rows(client: "MlflowClient", run_id: str, digests: Digests) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / Path(ROWS).name
        np.save(file, digests)
        client.log_artifact(run_id, str(file), str(Path(ROWS).parent))


def _training(client: "MlflowClient", run_id: str, task: str) -> Training | None:
    """The duration of the latest training, which may be from an earlier run of the pipeline."""
    experiment = client.get_run(run_id).info.experiment_id
    wanted = f"tags.stage = 'train' and tags.task = '{task}' and attributes.status = 'FINISHED'"
    found = client.search_runs([experiment], wanted, order_by=["attributes.start_time DESC"], max_results=1)
    return Training((found[0].info.end_time - found[0].info.start_time) / 1000, threads()) if found else None


def _prepared(task: str) -> dict[str, str]:
    """The digest of the prepared data in dvc.lock, by its folder; empty if that has none. A data set may be named like a task."""
    stages = yaml.load(LOCK.read_text(encoding="utf-8"), yaml.CSafeLoader)["stages"] if LOCK.exists() else {}
    found = stages.get(f"prepare@{task}", {}).get("outs", [])
    return {str(PREPARED / task): str(found[0]["md5"])} if found else {}


def _combined(sha256: list[str]) -> str:
    """One digest of several files, as short as MLflow requires."""
    return hashlib.sha256(" ".join(sha256).encode()).hexdigest()[:32]


def _dataset(name: str, digest: str) -> "DatasetInput":
    from mlflow.entities import Dataset, DatasetInput

    return DatasetInput(Dataset(name, digest, source_type="dvc", source=name))
