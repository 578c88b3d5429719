"""Train on a Ray cluster: code and data go there; the log and the epochs come back while it trains, and then the weights."""

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

from safetensors.torch import load
from tenacity import Retrying, retry_if_exception, stop_after_attempt
from torch import Tensor

from pipelines.params import Params
from pipelines.paths import PREPARED
from pipelines.stage import StageError
from pipelines.training.fit import Row
from pipelines.training.preflight import (
    check_answers,
    check_device,
    check_ray,
    check_room,
    check_storage,
    last_line,
    unreachable,
)

if TYPE_CHECKING:
    from pipelines.training.outcome import Outcome

ROOT = Path(__file__).parents[2]
CODE = ("models", "pipelines")
LIMIT_MIB = 500  # that Ray sends to its nodes with a job
MIB = 2**20
BUSY_S = 60  # that the cluster may take to notice that a stage was killed
POLL_S = 0.5
ATTEMPTS = 4  # to connect to a head that does not start a server for this client
START_FAILURES = ("Starting Ray client server failed", "Proxy failed to Connect to backend")
NAMESPACE = "seqline"
WORKERS = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # workers stay in their copy of the code and data
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # until an epoch's checkpoint counts, and a lost worker is noticed
}


def fit_on_cluster(
    address: str, task: str, params: Params, name: str, report: Callable[[Row], None]
) -> tuple[dict[str, Tensor], list[Row]]:
    """Do as `fit`, on the cluster, and wait for it. Killed and called again, it goes on from the job's last checkpoint.

    Args:
        address: of the cluster: `ray://host:10001` from anywhere, `host:6379` or `auto` on one of its nodes.
        task: to train; its prepared data are here.
        params: see params.yaml.
        name: of this very job; one with any other setting or data needs another name.
        report: called with the row of each finished epoch.

    Returns:
        see `fit`.

    Raises:
        StageError: there is no such cluster, it has no room for the job, or its workers fail again and again.
        ValueError: see `fit`.
    """
    check_ray()
    check_device(params)
    check_answers(address)
    with TemporaryDirectory() as folder:
        pack(task, Path(folder))
        with connected(address, Path(folder)):
            outcome = _run(address, task, params, name, report)
    if outcome.fault:
        raise ValueError(outcome.fault)
    history: list[Row] = json.loads(outcome.history)
    return load(outcome.weights), history


def pack(task: str, folder: Path) -> None:
    """Put what a worker needs, code and data, into a folder.

    Raises:
        StageError: it is more than Ray takes.
    """
    for room in CODE:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    # The texts and the test split are for evaluation.
    shutil.copytree(PREPARED / task, folder / PREPARED / task, ignore=shutil.ignore_patterns("*.parquet", "test"))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MIB
    if size > LIMIT_MIB:
        raise StageError(
            f"{PREPARED / task} is too large for the cluster: {math.ceil(size)} MiB with the code, and Ray sends at most"
            f" {LIMIT_MIB}; unset RAY_ADDRESS to train here"
        )


@contextmanager
def connected(address: str, folder: Path) -> Iterator[None]:
    """Be a client of the cluster, whose workers run in copies of the folder.

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
    """Whether the head answers, but did not start a server for this client, as happens when it is busy.

    Ray raises a ConnectionAbortedError, and the message holds the head's own traceback.
    """
    return any(failure in str(error) for failure in START_FAILURES)


def _run(address: str, task: str, params: Params, name: str, report: Callable[[Row], None]) -> "Outcome":
    """Check what can be checked before the job begins, run it, and remove its checkpoints once its outcome is here."""
    import ray
    from ray.exceptions import RayError

    from pipelines.training import remote

    nodes = [node for node in cast(Callable[[], list[dict[str, Any]]], ray.nodes)() if node["Alive"]]
    check_room(address, params, [node["Resources"] for node in nodes])
    try:
        progress = _begin_progress(name, ray.remote(remote.Progress))
        check_storage(params.cluster.storage, name, [node["NodeID"] for node in nodes])
        job = ray.remote(num_cpus=0)(remote.run).remote(name, task, params, progress)
        outcome = _follow(job, progress, report)
        ray.get(ray.remote(num_cpus=0)(remote.forget).remote(params.cluster.storage, name))
    except RayError as error:
        raise StageError(f"training {task} on the cluster failed; its log is above, and says last: {last_line(error)}") from error
    except ConnectionError as error:
        raise StageError(
            f"the connection to the cluster at {address} was lost ({last_line(error)}); run it again to go on"
        ) from error
    return outcome


def _follow(job: Any, progress: Any, report: Callable[[Row], None]) -> "Outcome":
    """Report each epoch of a job once, as soon as it is known, to the job's end."""
    import ray

    seen = 0.0
    while not ray.wait([job], timeout=POLL_S)[0]:
        seen = _report_after(seen, ray.get(progress.after.remote(seen)), report)
    outcome: Outcome = ray.get(job)
    _report_after(seen, json.loads(outcome.history), report)
    return outcome


def _report_after(seen: float, rows: Sequence[Row], report: Callable[[Row], None]) -> float:
    """Report the rows of epochs after `seen`, and return the last epoch that is reported now."""
    for row in rows:
        if row["epoch"] > seen:
            report(row)
            seen = row["epoch"]
    return seen


def _begin_progress(name: str, actor: Any) -> Any:
    """The actor of a job, which is there once: a stage that was killed may still have its own for a while.

    Raises:
        StageError: another stage has it.
    """
    import ray
    from ray.exceptions import ActorAlreadyExistsError

    end = time.monotonic() + BUSY_S
    while True:
        try:
            progress = actor.options(name=name, num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
            ray.get(progress.after.remote(0.0))  # a client at ray:// learns with the first answer that the name is taken
        except ActorAlreadyExistsError as error:
            if time.monotonic() > end:
                raise StageError(
                    f"the cluster is training this very job, {name}, for another stage; wait for that one"
                ) from error
            time.sleep(1)
        else:
            return progress
