"""Training on a Ray cluster: sends code and data, streams back the log and the epochs, and fetches the weights."""

import json
import logging
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from safetensors.numpy import load
from tenacity import Retrying, retry_if_exception, stop_after_attempt

from pipelines.settings.params import Params
from pipelines.stage import StageError
from pipelines.training.cluster_checks import (
    check_answers,
    check_device,
    check_ray,
    check_room,
    check_storage,
    last_line,
    unreachable,
)
from pipelines.training.work import Learned, Report, Row, Work

if TYPE_CHECKING:
    from pipelines.training.outcome import Outcome

ROOT = Path(__file__).parents[2]
CODE = ("models", "pipelines")
LIMIT_MIB = 500  # maximum size of a job's files that Ray sends to its nodes
MIB = 2**20
BUSY_S = 60  # time that the cluster may take to notice that a stage was killed
POLL_S = 0.5
ATTEMPTS = 4  # to connect to a head node that fails to start a server for this client
START_FAILURES = ("Starting Ray client server failed", "Proxy failed to Connect to backend")
NAMESPACE = "seqline"
WORKERS = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # workers keep the working directory with code and data
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # delay until a checkpoint is registered and a lost worker is noticed
}


def learn_on_cluster(address: str, work: Work, params: Params, report: Report) -> Learned:
    """Train on the cluster, and wait for the result. After a kill, a new call resumes from the last checkpoint.

    Args:
        address: address of the cluster: `ray://host:10001` from anywhere, `host:6379` or `auto` on one of its nodes.
        work: the training job; its data are local.
        params: see params.yaml.
        report: called with the row of each finished epoch.

    Raises:
        StageError: there is no such cluster, it lacks the resources, or its workers fail repeatedly.
        ValueError: see Learner.
    """
    check_ray()
    check_device(params)
    check_answers(address)
    with TemporaryDirectory() as folder:
        pack(work.data, Path(folder))
        with connected(address, Path(folder)):
            outcome = _run(address, work, params, report)
    if outcome.fault:
        raise ValueError(outcome.fault)
    history: list[Row] = json.loads(outcome.history)
    return Learned({name: np.array(array) for name, array in load(outcome.weights).items()}, history)  # owning copies


def pack(data: Path, folder: Path) -> None:
    """Copy the code and data that a worker needs into a folder.

    Raises:
        StageError: they exceed Ray's limit.
    """
    for room in CODE:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    # The texts and the test split are only needed for evaluation.
    shutil.copytree(data, folder / data, ignore=shutil.ignore_patterns("*.parquet", "test"))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MIB
    if size > LIMIT_MIB:
        raise StageError(
            f"{data} is too large for the cluster: {math.ceil(size)} MiB with the code, but Ray sends at most"
            f" {LIMIT_MIB}; unset RAY_ADDRESS to train locally"
        )


@contextmanager
def connected(address: str, folder: Path) -> Iterator[None]:
    """Connect to the cluster, whose workers run in copies of the folder.

    Raises:
        StageError: Ray cannot connect.
    """
    import ray

    runtime = {"working_dir": str(folder), "env_vars": WORKERS}
    again = Retrying(retry=retry_if_exception(_no_server_started), stop=stop_after_attempt(ATTEMPTS), reraise=True)
    try:
        again(ray.init, address, namespace=NAMESPACE, runtime_env=runtime, logging_level=logging.WARNING)
    except (OSError, RuntimeError, ValueError) as error:
        raise unreachable(address, last_line(error)) from error
    try:
        yield
    finally:
        ray.shutdown()


def _no_server_started(error: BaseException) -> bool:
    """Whether the head node responded but failed to start a server for this client, as happens when it is busy.

    Ray raises a ConnectionAbortedError whose message contains the head node's traceback.
    """
    return any(failure in str(error) for failure in START_FAILURES)


def _run(address: str, work: Work, params: Params, report: Report) -> "Outcome":
    """Check prerequisites, run the job, and remove its checkpoints once its outcome has been fetched."""
    import ray
    from ray.exceptions import RayError

    from pipelines.training import remote

    nodes = [node for node in cast(Callable[[], list[dict[str, Any]]], ray.nodes)() if node["Alive"]]
    check_room(address, params.cluster, work, [node["Resources"] for node in nodes])
    name = f"{work.name}-{work.identity}"
    try:
        progress = _begin_progress(name, ray.remote(remote.Progress))
        check_storage(params.cluster.storage, name, [node["NodeID"] for node in nodes])
        job = ray.remote(num_cpus=0)(remote.run).remote(name, work, params, progress)
        outcome = _follow(job, progress, report)
        ray.get(ray.remote(num_cpus=0)(remote.forget).remote(params.cluster.storage, name))
    except RayError as error:
        raise StageError(
            f"training {work.name} on the cluster failed; see its log above, which ends with: {last_line(error)}"
        ) from error
    except ConnectionError as error:
        raise StageError(
            f"the connection to the cluster at {address} was lost ({last_line(error)}); run it again to resume"
        ) from error
    return outcome


def _follow(job: Any, progress: Any, report: Report) -> "Outcome":
    """Report each epoch of a job once, as soon as it is finished, until the job ends."""
    import ray

    seen = 0.0
    while not ray.wait([job], timeout=POLL_S)[0]:
        seen = _report_after(seen, ray.get(progress.after.remote(seen)), report)
    outcome: Outcome = ray.get(job)
    _report_after(seen, json.loads(outcome.history), report)
    return outcome


def _report_after(seen: float, rows: Sequence[Row], report: Report) -> float:
    """Report the rows of epochs after `seen`, and return the last reported epoch."""
    for row in rows:
        if row["epoch"] > seen:
            report(row)
            seen = row["epoch"]
    return seen


def _begin_progress(name: str, actor: Any) -> Any:
    """Create the actor of a job, which exists at most once: that of a killed stage may persist for a while.

    Raises:
        StageError: another stage owns it.
    """
    import ray
    from ray.exceptions import ActorAlreadyExistsError

    end = time.monotonic() + BUSY_S
    while True:
        try:
            progress = actor.options(name=name, num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
            ray.get(progress.after.remote(0.0))  # a ray:// client only finds out with the first response that the name is taken
        except ActorAlreadyExistsError as error:
            if time.monotonic() > end:
                raise StageError(
                    f"the cluster is already running this job, {name}, for another stage; wait for it to finish"
                ) from error
            time.sleep(1)
        else:
            return progress
