"""Train on a Ray cluster: code and data go there; the log and the epochs come back while it trains, and then the weights."""

import json
import logging
import math
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from safetensors.torch import load
from torch import Tensor

from pipelines.params import Params
from pipelines.paths import PREPARED
from pipelines.stage import StageError
from pipelines.training.fit import Row

if TYPE_CHECKING:
    from pipelines.training.rank import Outcome

ROOT = Path(__file__).parents[2]
CODE = ("models", "pipelines")
LIMIT_MIB = 500  # that Ray sends to its nodes with a job
MIB = 2**20
TIMEOUT_S = 10  # for the cluster to answer
BUSY_S = 60  # that the cluster may take to notice that a stage was killed
POLL_S = 0.5
NAMESPACE = "seqline"
NODE_ID = "ray.io/node-id"  # a label that Ray gives each node


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
    if find_spec("ray") is None:
        raise StageError(
            "RAY_ADDRESS is set, but Ray is not installed: pip install -c constraints.txt -e '.[train,workers]', or unset it"
        )
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


def check_device(params: Params) -> None:
    """Raises StageError where `device` and the workers' GPUs contradict each other."""
    gpus = params.cluster.gpus_per_worker
    if params.device != "auto" and (params.device == "cuda") != bool(gpus):
        raise StageError(
            f"device: {params.device}, but cluster.gpus_per_worker is {gpus}; change one of them, or use device: auto"
        )


def check_answers(address: str) -> None:
    """Raises StageError, in TIMEOUT_S or less, where nothing listens at the address or it is none."""
    if address == "auto":
        return
    parts = urlsplit(address if "://" in address else f"gcs://{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:  # of the port
        host, port = None, None
    if parts.scheme not in ("ray", "gcs") or not host or not port:
        raise StageError(f"RAY_ADDRESS is {address!r}; it has to be ray://host:10001, host:6379 or auto")
    try:
        socket.create_connection((host, port), TIMEOUT_S).close()
    except OSError as error:
        raise _unreachable(address, error.strerror or str(error)) from error


def _unreachable(address: str, reason: str) -> StageError:
    return StageError(f"no Ray cluster answers at RAY_ADDRESS={address} ({reason}); start it, or unset RAY_ADDRESS to train here")


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

    # RAY_CHDIR_TO_TRIAL_DIR: workers stay in their copy of the folder.
    runtime = {"working_dir": str(folder), "env_vars": {"RAY_CHDIR_TO_TRIAL_DIR": "0"}}
    try:
        ray.init(address, namespace=NAMESPACE, runtime_env=runtime, logging_level=logging.WARNING)
    except (OSError, RuntimeError, ValueError) as error:
        raise _unreachable(address, _first_line(error)) from error
    try:
        yield
    finally:
        ray.shutdown()


def _run(address: str, task: str, params: Params, name: str, report: Callable[[Row], None]) -> "Outcome":
    """Check what can be checked before the job begins, run it, and remove its checkpoints once its outcome is here."""
    import ray
    from ray.exceptions import RayError

    from pipelines.training import rank

    nodes = [node for node in cast(Callable[[], list[dict[str, Any]]], ray.nodes)() if node["Alive"]]
    check_room(address, params, [node["Resources"] for node in nodes])
    progress = _begin_progress(name, ray.remote(rank.Progress))
    check_storage(params.cluster.storage, name, [node["NodeID"] for node in nodes])
    job = ray.remote(num_cpus=0)(rank.run_job).remote(name, task, params, progress)
    seen = 0.0
    try:
        while not ray.wait([job], timeout=POLL_S)[0]:
            seen = _report_after(seen, ray.get(progress.after.remote(seen)), report)
        outcome: Outcome = ray.get(job)
    except RayError as error:
        raise StageError(f"training {task} on the cluster failed, see its log above: {_last_line(error)}") from error
    _report_after(seen, json.loads(outcome.history), report)
    ray.get(ray.remote(num_cpus=0)(rank.forget).remote(params.cluster.storage, name))
    return outcome


def _report_after(seen: float, rows: Sequence[Row], report: Callable[[Row], None]) -> float:
    """Report the rows of epochs after `seen`; the last epoch that is reported now."""
    for row in rows:
        if row["epoch"] > seen:
            report(row)
            seen = row["epoch"]
    return seen


def check_room(address: str, params: Params, nodes: Sequence[Mapping[str, float]]) -> None:
    """Whether all workers of a job fit on the nodes, were these idle.

    Args:
        address: of the cluster.
        params: see params.yaml.
        nodes: what each one has, in Ray's terms.

    Raises:
        StageError: they do not.
    """
    from pipelines.training.rank import needs

    needed, workers = needs(params), params.cluster.workers
    if "GPU" in needed and not any(node.get("GPU") for node in nodes):
        raise StageError(
            f"cluster.gpus_per_worker is 1, but the cluster at {address} has no GPU; set it to 0, or join nodes with one"
        )
    room = sum(min(int(node.get(kind, 0) // amount) for kind, amount in needed.items()) for node in nodes)
    if room < workers:
        each = " and ".join(f"{amount:g} {kind}" for kind, amount in needed.items())
        raise StageError(
            f"cluster.workers is {workers}, but the cluster at {address} has room for {room} of {each};"
            " lower it, or join more nodes"
        )


def check_storage(storage: str, name: str, nodes: Sequence[str]) -> None:
    """Whether all nodes can use the storage.

    Args:
        storage: folder or URI.
        name: of the job.
        nodes: Ray's ids of them.

    Raises:
        StageError: it cannot be written, or some node does not see what another wrote.
    """
    import ray
    from ray.exceptions import RayTaskError

    from pipelines.training import rank

    try:
        ray.get(ray.remote(num_cpus=0)(rank.mark).remote(storage, name))
        looks = [ray.remote(num_cpus=0, label_selector={NODE_ID: node})(rank.sees) for node in nodes]
        shared = all(ray.get([look.remote(storage, name) for look in looks]))
    except RayTaskError as error:
        raise StageError(f"cluster.storage: {storage} cannot be written on the cluster ({_first_line(error.cause)})") from error
    if not shared:
        raise StageError(
            f"cluster.storage: {storage} is not the same on all nodes; use a folder that they share, or s3://bucket/prefix"
        )


def _begin_progress(name: str, actor: Any) -> Any:
    """The actor of a job, which is there once: a stage that was killed may still have its own for a while.

    Raises:
        StageError: another stage has it.
    """
    end = time.monotonic() + BUSY_S
    while True:
        try:
            return actor.options(name=name, num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
        except ValueError as error:  # the name is taken
            if time.monotonic() > end:
                raise StageError(
                    f"the cluster is training this very job, {name}, for another stage; wait for that one"
                ) from error
        time.sleep(1)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _last_line(error: BaseException) -> str:
    return ([line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1]
