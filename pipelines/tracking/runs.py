"""Tracking in MLflow: one run per training or measuring stage, under one parent run per `dvc repro`."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import psutil

from pipelines.data.catalogue import load_catalogue
from pipelines.paths import CATALOGUE, CHECKPOINTS
from pipelines.settings.params import Params, flat, load_params
from pipelines.settings.section import Section
from pipelines.stage import StageError
from pipelines.tracking.client import TRACKER, TrackerClient, tracked_by
from pipelines.tracking.moved import follow_artifacts

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from tenacity import RetryCallState

    from pipelines.tracking.delivery import Delivery

EXPERIMENT = "seqline"
INVOCATION = "seqline.invocation"  # tag of a parent run: the process that started its stages
BUILD = "repro"  # name of a parent run
DEFAULT_URI = "sqlite:///mlflow.db"
STARTERS = {"dvc", "pipelines.repro.side_by_side"}

T = TypeVar("T")


class StageRun:
    """The MLflow run of one stage; if MLflow is not installed, all calls are no-ops, except `call`.

    Logging is asynchronous: entries are queued when a call returns, and delivered when the stage ends. An unavailable server
    therefore does not stop a training. An error of an earlier call is raised by a later one, see `Delivery`.

    Args:
        delivery: connection to the tracking server, in this process or through a tracker; None without MLflow.
        run_id: id of the stage's run.
    """

    def __init__(self, delivery: "Delivery | TrackerClient | None", run_id: str) -> None:
        self._delivery, self.run_id = delivery, run_id

    def metrics(self, values: Mapping[str, object], step: int = 0) -> None:
        """Log the numbers in `values`, for an epoch if `step` is given."""
        if self._delivery:
            numbers = {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
            self._delivery.metrics(numbers, step)

    def tag(self, name: str, value: str) -> None:
        """Set a tag of the run."""
        if self._delivery:
            self._delivery.tag(name, value)

    def artifacts(self, path: Path) -> None:
        """Upload a file, or a folder with all its contents; it must not change until the stage ends."""
        if self._delivery:
            self._delivery.artifacts(path)

    def call(self, function: str, *arguments: str) -> str:
        """Call a function that uses MLflow directly, in the process that has imported MLflow, and return its result.

        Args:
            function: `module:name`; called with the id of the run and the arguments.
            arguments: further arguments.

        Raises:
            StageError: MLflow is not installed.
        """
        if self._delivery is None:
            raise StageError("this stage needs MLflow; install the train extra")
        return self._delivery.call(function, *arguments)


@contextmanager
def track(
    stage: str, task: str, settings: Section | None = None, *, params: Params | None = None, group: str = "", retries: int = 0
) -> Iterator[StageRun]:
    """Run a stage's work inside an MLflow run, which ends as FAILED if the work raises an exception.

    Under `pipelines.repro.side_by_side`, another process does this for the stage, see `pipelines.tracking.tracker`. Studies,
    sweeps and stages started in other ways do it themselves.

    The run's params are the settings of the task, or of anything else that `Params.described` accepts. Its tags are the git
    commit, the sha256 of dvc.lock and the data sets with the sha256 of their files. It goes to MLFLOW_TRACKING_URI, by default a
    SQLite file in the working directory.

    Args:
        stage: name of the stage.
        task: name of the task, method or block of vectors.
        settings: settings of a study without a data set, instead of the task's.
        params: params of a sweep's trial, instead of params.yaml.
        group: name of the parent run, also across processes; by default the parent run of this invocation.
        retries: retries of requests that the stage itself makes with MLflow; see `pipelines.tracking.server.connect`.

    Raises:
        StageError: before the work, if no server answers or it is incompatible (if it has answered an earlier stage of the same
            invocation, the stage waits for it to come back); after the work, if it has rejected an entry or did not come back.
    """
    tracker = os.environ.get(TRACKER)
    if tracker and settings is None and params is None and not group:
        with tracked_by(tracker, stage, task, retries) as (to_tracker, run_id):
            yield StageRun(to_tracker, run_id)
        return
    if find_spec("mlflow") is None:  # optional on a bare GPU worker
        yield StageRun(None, "")
        return
    from pipelines.tracking.delivery import Delivery
    from pipelines.tracking.events import announced
    from pipelines.tracking.server import in_one_line

    described, datasets = (params or load_params()).described(task) if settings is None else (settings, [])
    uri, tags = tracking_uri(), {"stage": stage, "task": task, **_provenance(datasets)}
    client, run = _patiently(uri, lambda: _begin(uri, retries, group, f"{stage}@{task}", tags))
    delivery = Delivery(client, run.info.run_id, uri)
    delivery.params(flat(described.model_dump(exclude={"examples"})))  # examples are for documentation and do not affect results
    with announced(run.info.run_id, run.data.tags, group or BUILD):
        try:
            with in_one_line(uri):  # a stage may use MLflow directly
                yield StageRun(delivery, run.info.run_id)
        except BaseException as error:
            delivery.close_after(error)
            raise
        delivery.close("FINISHED")


def tracking_uri() -> str:
    """The URI of the tracking server or database."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def _begin(uri: str, retries: int, group: str, name: str, tags: Mapping[str, str]) -> "tuple[MlflowClient, Run]":
    """Create a client and a run."""
    from pipelines.tracking.server import check_artifacts, in_one_line

    client = _client(uri, retries)
    with in_one_line(uri):
        with _alone():
            parent = _parent(client, group)
        check_artifacts(client, parent, uri)
        experiment = client.get_run(parent).info.experiment_id
        run = client.create_run(experiment, run_name=name, tags={"mlflow.parentRunId": parent, **tags})
    with _alone() as known:
        known.write_text(_known(uri), encoding="utf-8")
    return client, run


def _client(uri: str, retries: int) -> "MlflowClient":
    from pipelines.tracking.server import connect

    with _alone():  # creates the SQLite file if it does not exist
        if uri == DEFAULT_URI:
            follow_artifacts()
        return connect(uri, retries)


def _patiently(uri: str, ask: Callable[[], T]) -> T:
    """Call `ask`, with retries while the server is unavailable if it has answered an earlier stage of this invocation.

    A server that has never answered probably does not exist, so the first stage fails immediately.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_delay

    from pipelines.tracking.delivery import PATIENCE_S, WAIT, may_pass, notice
    from pipelines.tracking.server import shown

    def is_away(error: BaseException) -> bool:
        with _alone() as known:
            passing = isinstance(error, StageError) and may_pass(error.__cause__ or error)
            return passing and known.read_text(encoding="utf-8") == _known(uri)

    def tell(state: "RetryCallState") -> None:
        if state.attempt_number == 1:
            notice(f"{shown(uri)} does not respond; this stage waits for it to come back")

    again = retry_if_exception(is_away)
    return Retrying(retry=again, wait=WAIT, stop=stop_after_delay(PATIENCE_S), before_sleep=tell, reraise=True)(ask)


def _known(uri: str) -> str:
    """The note that a server has answered in this invocation."""
    return f"{_invocation()} {hashlib.sha256(uri.encode()).hexdigest()}"


@contextmanager
def _alone() -> Iterator[Path]:
    """Lock out other stages in this working tree, so that only one of them creates shared resources.

    Yields:
        path of the locked file, in which a stage leaves a note for later stages.
    """
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    path = CHECKPOINTS / "tracking.lock"
    with path.open("a") as file:
        flock(file, LOCK_EX)
        yield path


def mark_best(group: str, name: str) -> None:
    """Tag the runs of a group with `best`: true for the one with this name, else false. Raises StageError like `track`."""
    if find_spec("mlflow") is not None:
        uri = tracking_uri()
        _patiently(uri, lambda: _mark(uri, group, name))


def _mark(uri: str, group: str, name: str) -> None:
    from pipelines.tracking.server import in_one_line

    client = _client(uri, retries=0)
    with in_one_line(uri):
        parent = client.get_run(_parent(client, group))
        for run in client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"):
            client.set_tag(run.info.run_id, "best", str(run.info.run_name == name).lower())


def _parent(client: "MlflowClient", group: str) -> str:
    """The id of the parent run of a group, or of this invocation; created on first use."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    identity = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
    invocation = group or _invocation()
    found = client.search_runs([identity], f"tags.`{INVOCATION}` = '{invocation}'", max_results=1)
    if found:
        return str(found[0].info.run_id)
    run = client.create_run(identity, run_name=group or BUILD, tags={INVOCATION: invocation, **_repository()})
    client.set_terminated(run.info.run_id)  # only its children have metrics
    return str(run.info.run_id)


def _invocation() -> str:
    """Identify the process of `dvc` or pipelines.repro.side_by_side that started this stage; otherwise this process.

    DVC does not pass a run id to its stages, but all of them are its child processes.
    """
    this = psutil.Process()
    starter = next((p for p in this.parents() if any(Path(word).name in STARTERS for word in p.cmdline()[:4])), this)
    return f"{os.uname().nodename}-{starter.pid}-{int(starter.create_time())}"


def _provenance(datasets: Sequence[str]) -> dict[str, str]:
    """Tags with the provenance of a run."""
    catalogue = load_catalogue(CATALOGUE)
    files = [file for dataset in datasets for file in catalogue[dataset].files]
    return {"dataset": " ".join(datasets), "dataset_sha256": " ".join(file.sha256 for file in files), **_repository()}


def _repository() -> dict[str, str]:
    """Tags with the state of code and pipeline. A `+` after the commit means uncommitted changes."""
    lock = Path("dvc.lock")
    sha256 = hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else "none"
    commit = _git("rev-parse", "HEAD") + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    return {"git_commit": commit, "dvc_lock_sha256": sha256}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607 - the user's own git
    return done.stdout.strip()
