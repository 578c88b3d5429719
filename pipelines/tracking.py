"""Tracking in MLflow: a run for each stage that learns or measures, under one parent for each `dvc repro`."""

import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from pipelines.catalogue import load_catalogue
from pipelines.params import Params, load_params
from pipelines.paths import CATALOGUE, CHECKPOINTS
from pipelines.settings.section import Section

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "seqline"
INVOCATION = "seqline.invocation"  # tag of a parent run: the process that its stages were started by
DEFAULT_URI = "sqlite:///mlflow.db"
STARTERS = {"dvc", "pipelines.side_by_side"}


class StageRun:
    """The MLflow run of one stage; where MLflow is not installed, every call does nothing.

    Args:
        client: talks to the tracking server; None where there is none.
        run_id: of the stage's run.
    """

    def __init__(self, client: "MlflowClient | None", run_id: str) -> None:
        self._client, self.run_id = client, run_id

    def metrics(self, values: Mapping[str, object], step: int = 0) -> None:
        """Log the numbers among `values`, at an epoch if one is given."""
        if self._client:
            for name, value in values.items():
                if isinstance(value, int | float):
                    self._client.log_metric(self.run_id, name, float(value), step=step)

    def tag(self, name: str, value: str) -> None:
        """Note something about the run."""
        if self._client:
            self._client.set_tag(self.run_id, name, value)

    def artifacts(self, path: Path) -> None:
        """Upload a file, or a folder with all that is in it."""
        if self._client:
            upload = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
            upload(self.run_id, str(path))


@contextmanager
def track(
    stage: str, task: str, settings: Section | None = None, *, params: Params | None = None, group: str = ""
) -> Iterator[StageRun]:
    """Run a stage's work inside an MLflow run, which ends as FAILED if the work raises.

    The run has the params of what it works on, a task or whatever `Params.described` knows, and as tags the git commit, the
    sha256 of dvc.lock and the data sets with their files' sha256. A study of no data set hands over its own `settings` instead.
    A trial of a sweep hands over `params` that are not those of params.yaml, and the name of its `group`, whose runs share a
    parent of that name, whichever process they are of. It goes to MLFLOW_TRACKING_URI, or else to a SQLite file in the working
    directory.
    """
    client = _client()
    if client is None:
        yield StageRun(None, "")
        return
    described, datasets = (params or load_params()).described(task) if settings is None else (settings, [])
    with _alone():
        parent = _parent(client, group)
    experiment = client.get_run(parent).info.experiment_id
    tags = {"mlflow.parentRunId": parent, "stage": stage, "task": task, **_provenance(datasets)}
    run = client.create_run(experiment, run_name=f"{stage}@{task}", tags=tags)
    for name, value in _flat(described.model_dump()):
        client.log_param(run.info.run_id, name, value)
    try:
        yield StageRun(client, run.info.run_id)
    except BaseException:
        client.set_terminated(run.info.run_id, "FAILED")
        raise
    client.set_terminated(run.info.run_id)


def _client() -> "MlflowClient | None":
    """A client, or None where MLflow is not installed: a bare GPU worker trains without it."""
    try:
        import mlflow
    except ImportError:
        return None
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI", DEFAULT_URI))
    with _alone():  # a SQLite file that is not there yet is made now
        return mlflow.MlflowClient()


@contextmanager
def _alone() -> Iterator[None]:
    """No other stage of this working tree meanwhile: of several that begin at once, one makes what all of them need."""
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    with (CHECKPOINTS / "tracking.lock").open("w") as file:
        flock(file, LOCK_EX)
        yield


def mark_best(group: str, name: str) -> None:
    """Tag the runs of a group: `best` is true of the one with this name, and of no other."""
    client = _client()
    if client is None:
        return
    parent = client.get_run(_parent(client, group))
    for run in client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"):
        client.set_tag(run.info.run_id, "best", str(run.info.run_name == name).lower())


def _parent(client: "MlflowClient", group: str) -> str:
    """The id of the parent run of a group, or else of this invocation, made by the first stage that asks."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    identity = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
    invocation = group or _invocation()
    found = client.search_runs([identity], f"tags.`{INVOCATION}` = '{invocation}'", max_results=1)
    if found:
        return str(found[0].info.run_id)
    run = client.create_run(identity, run_name=group or "repro", tags={INVOCATION: invocation, **_repository()})
    client.set_terminated(run.info.run_id)  # only its children measure anything
    return str(run.info.run_id)


def _invocation() -> str:
    """Name the process that started this stage, of `dvc` or of pipelines.side_by_side, or this process itself where none did.

    DVC hands its stages no id of the run they are part of, but they are all its children.
    """
    this = psutil.Process()
    starter = next((p for p in this.parents() if any(Path(word).name in STARTERS for word in p.cmdline()[:4])), this)
    return f"{os.uname().nodename}-{starter.pid}-{int(starter.create_time())}"


def _provenance(datasets: Sequence[str]) -> dict[str, str]:
    """What the run came from."""
    catalogue = load_catalogue(CATALOGUE)
    files = [file for dataset in datasets for file in catalogue[dataset].files]
    return {"dataset": " ".join(datasets), "dataset_sha256": " ".join(file.sha256 for file in files), **_repository()}


def _repository() -> dict[str, str]:
    """The code and the pipeline's state. `+` after the commit: the working tree had changes."""
    lock = Path("dvc.lock")
    sha256 = hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else "none"
    commit = _git("rev-parse", "HEAD") + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    return {"git_commit": commit, "dvc_lock_sha256": sha256}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607 - the user's own git
    return done.stdout.strip()


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested keys as dotted names."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
