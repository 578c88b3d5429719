"""Tracking in MLflow: a run for each stage that learns or measures, under one parent for each `dvc repro`."""

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

from pipelines.catalogue import load_catalogue
from pipelines.params import Params, flat, load_params
from pipelines.paths import CATALOGUE, CHECKPOINTS
from pipelines.settings.section import Section
from pipelines.stage import StageError
from pipelines.tracker_client import TRACKER, TrackerClient, tracked_by

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from tenacity import RetryCallState

    from pipelines.delivery import Delivery

EXPERIMENT = "seqline"
INVOCATION = "seqline.invocation"  # tag of a parent run: the process that its stages were started by
DEFAULT_URI = "sqlite:///mlflow.db"
STARTERS = {"dvc", "pipelines.side_by_side"}

T = TypeVar("T")


class StageRun:
    """The MLflow run of one stage; where MLflow is not installed, every call does nothing.

    What is logged is on its way when a call returns, and has arrived when the stage ends: a server that is away stops no
    training. An error of an earlier call is raised by a later one, see `Delivery`.

    Args:
        delivery: to the tracking server, by this process or by a tracker; None where there is no MLflow.
        run_id: of the stage's run.
    """

    def __init__(self, delivery: "Delivery | TrackerClient | None", run_id: str) -> None:
        self._delivery, self.run_id = delivery, run_id

    def metrics(self, values: Mapping[str, object], step: int = 0) -> None:
        """Log the numbers among `values`, at an epoch if one is given."""
        if self._delivery:
            numbers = {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
            self._delivery.metrics(numbers, step)

    def tag(self, name: str, value: str) -> None:
        """Note something about the run."""
        if self._delivery:
            self._delivery.tag(name, value)

    def artifacts(self, path: Path) -> None:
        """Upload a file, or a folder with all that is in it; it has to stay as it is until the stage ends."""
        if self._delivery:
            self._delivery.artifacts(path)

    def call(self, function: str, *arguments: str) -> str:
        """What a function that works with MLflow itself gives, called in the process that has imported MLflow.

        Args:
            function: `module:name`; called with the id of the run and the arguments.
            arguments: the other ones.

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
    """Run a stage's work inside an MLflow run, which ends as FAILED if the work raises.

    Under `pipelines.side_by_side`, another process does this for the stage, see `pipelines.tracker`. Studies, sweeps and stages
    that something else runs do it themselves.

    The run has the params of what it works on, a task or whatever `Params.described` knows, and as tags the git commit, the
    sha256 of dvc.lock and the data sets with their files' sha256. It goes to MLFLOW_TRACKING_URI, or else to a SQLite file in
    the working directory.

    Args:
        stage: its name.
        task: what it works on.
        settings: of a study of no data set, instead of the task's.
        params: of a trial of a sweep, instead of those of params.yaml.
        group: name of the parent run, whichever process its children are of; without one it is that of this invocation.
        retries: of requests that the stage makes by MLflow itself; see `pipelines.tracking_server.connect`.

    Raises:
        StageError: no server answers, or it does not fit, before the work (where it has answered an earlier stage of the same
            invocation, the stage waits for it to come back); it has refused something, or did not come back, after it.
    """
    tracker = os.environ.get(TRACKER)
    if tracker and settings is None and params is None and not group:
        with tracked_by(tracker, stage, task, retries) as (to_tracker, run_id):
            yield StageRun(to_tracker, run_id)
        return
    if find_spec("mlflow") is None:  # a bare GPU worker trains without it
        yield StageRun(None, "")
        return
    from pipelines.delivery import Delivery
    from pipelines.tracking_server import in_one_line

    described, datasets = (params or load_params()).described(task) if settings is None else (settings, [])
    uri, tags = tracking_uri(), {"stage": stage, "task": task, **_provenance(datasets)}
    client, run_id = _patiently(uri, lambda: _begin(uri, retries, group, f"{stage}@{task}", tags))
    delivery = Delivery(client, run_id, uri)
    delivery.params(flat(described.model_dump()))
    try:
        with in_one_line(uri):  # a stage may ask MLflow itself
            yield StageRun(delivery, run_id)
    except BaseException as error:
        delivery.close_after(error)
        raise
    delivery.close("FINISHED")


def tracking_uri() -> str:
    """Where runs go."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def _begin(uri: str, retries: int, group: str, name: str, tags: Mapping[str, str]) -> "tuple[MlflowClient, str]":
    """A client, and the id of a new run."""
    from pipelines.tracking_server import check_artifacts, in_one_line

    client = _client(uri, retries)
    with in_one_line(uri):
        with _alone():
            parent = _parent(client, group)
        check_artifacts(client, parent, uri)
        experiment = client.get_run(parent).info.experiment_id
        run = client.create_run(experiment, run_name=name, tags={"mlflow.parentRunId": parent, **tags})
    with _alone() as known:
        known.write_text(_known(uri), encoding="utf-8")
    return client, str(run.info.run_id)


def _client(uri: str, retries: int) -> "MlflowClient":
    from pipelines.tracking_server import connect

    with _alone():  # a SQLite file that is not there yet is made now
        return connect(uri, retries)


def _patiently(uri: str, ask: Callable[[], T]) -> T:
    """What `ask` gives. It is asked again while the server is away, if it has answered an earlier stage of this invocation.

    One that nobody has reached yet is rather one that is not there, and a first stage says so at once.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_delay

    from pipelines.delivery import PATIENCE_S, WAIT, may_pass, notice
    from pipelines.tracking_server import shown

    def is_away(error: BaseException) -> bool:
        with _alone() as known:
            passing = isinstance(error, StageError) and may_pass(error.__cause__ or error)
            return passing and known.read_text(encoding="utf-8") == _known(uri)

    def tell(state: "RetryCallState") -> None:
        if state.attempt_number == 1:
            notice(f"{shown(uri)} does not answer; this stage waits for it to come back")

    again = retry_if_exception(is_away)
    return Retrying(retry=again, wait=WAIT, stop=stop_after_delay(PATIENCE_S), before_sleep=tell, reraise=True)(ask)


def _known(uri: str) -> str:
    """What is noted where a server has answered: which one, and to whom."""
    return f"{_invocation()} {hashlib.sha256(uri.encode()).hexdigest()}"


@contextmanager
def _alone() -> Iterator[Path]:
    """No other stage of this working tree meanwhile: of several that begin at once, one makes what all of them need.

    Yields:
        the file that is locked, where a stage notes what those after it may know.
    """
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    path = CHECKPOINTS / "tracking.lock"
    with path.open("a") as file:
        flock(file, LOCK_EX)
        yield path


def mark_best(group: str, name: str) -> None:
    """Tag the runs of a group: `best` is true of the one with this name, and of no other. Raises StageError like `track`."""
    if find_spec("mlflow") is not None:
        uri = tracking_uri()
        _patiently(uri, lambda: _mark(uri, group, name))


def _mark(uri: str, group: str, name: str) -> None:
    from pipelines.tracking_server import in_one_line

    client = _client(uri, retries=0)
    with in_one_line(uri):
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
