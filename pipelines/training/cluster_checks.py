"""Checks of a cluster before a training starts there; each failure is reported in one line."""

import os
import socket
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from urllib.parse import urlsplit

from pipelines.settings.cluster import Cluster
from pipelines.settings.params import Params
from pipelines.stage import StageError
from pipelines.training.work import Work

TIMEOUT_S = 10  # for the cluster's response
NODE_ID = "ray.io/node-id"  # a label that Ray gives each node


def check_ray() -> None:
    """Check that Ray is installed. Raises StageError if it is not."""
    if find_spec("ray") is None:
        raise StageError(
            "RAY_ADDRESS is set, but Ray is not installed here: pip install -c constraints.txt -e '.[train,workers]', or unset it"
        )


def check_device(params: Params) -> None:
    """Check that `device` and the workers' GPUs agree. Raises StageError if they do not."""
    gpus = params.cluster.gpus_per_worker
    if params.device != "auto" and (params.device == "cuda") != bool(gpus):
        raise StageError(
            f"device: {params.device}, but cluster.gpus_per_worker is {gpus}; change one of them, or use device: auto"
        )


def check_answers(address: str) -> None:
    """Check the address, and that a cluster answers there, since Ray itself might wait for minutes. Raises StageError if not."""
    if address == "auto":
        return
    parts = urlsplit(address if "://" in address else f"gcs://{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:  # invalid port
        host, port = None, None
    if parts.scheme not in ("ray", "gcs") or not host or not port:
        raise StageError(f"RAY_ADDRESS is {address!r}; it must be ray://host:10001, host:6379 or auto")
    try:
        socket.create_connection((host, port), TIMEOUT_S).close()
    except OSError as error:
        raise unreachable(address, error.strerror or str(error)) from error
    if not os.environ.get("RAY_USE_TLS"):  # with TLS, the check would need Ray's certificates
        _check_speaks(address, f"{host}:{port}")


def _check_speaks(address: str, place: str) -> None:
    """Check that the listener speaks Ray's protocol. Raises StageError if it does not."""
    import grpc  # installed with Ray

    with grpc.insecure_channel(place) as channel:
        try:
            grpc.channel_ready_future(channel).result(TIMEOUT_S)
        except grpc.FutureTimeoutError as error:
            raise unreachable(address, f"the listener did not answer in {TIMEOUT_S} s") from error


def unreachable(address: str, reason: str) -> StageError:
    """The error for a cluster that does not answer."""
    return StageError(
        f"no Ray cluster answers at RAY_ADDRESS={address} ({reason}); start it, or unset RAY_ADDRESS to train locally"
    )


def check_room(address: str, cluster: Cluster, work: Work, nodes: Sequence[Mapping[str, float]]) -> None:
    """Check that all workers of a job fit on the nodes, if these are idle.

    Args:
        address: address of the cluster.
        cluster: its block of params.yaml.
        work: the training job.
        nodes: total resources of each node, by Ray's resource names.

    Raises:
        StageError: they do not fit.
    """
    needed, workers = cluster.needs(on_gpu=work.on_gpu), cluster.workers if work.shared else 1
    if "GPU" in needed and not any(node.get("GPU") for node in nodes):
        raise StageError(
            f"cluster.gpus_per_worker is 1, but the cluster at {address} has no GPU; set it to 0, or add nodes with a GPU"
        )
    room = sum(min(int(node.get(kind, 0) // amount) for kind, amount in needed.items()) for node in nodes)
    if room < workers:
        each = " and ".join(f"{amount:g} {kind}" for kind, amount in needed.items())
        raise StageError(
            f"cluster.workers is {workers}, but the cluster at {address} has room for {room} of {each}; lower it, or add nodes"
        )


def check_storage(storage: str, name: str, nodes: Sequence[str]) -> None:
    """Check that all nodes of the connected cluster can use the storage.

    Args:
        storage: folder or URI.
        name: name of the job.
        nodes: Ray's node ids.

    Raises:
        StageError: it is not writable, or a node does not see a file that another wrote.
    """
    import ray
    from ray.exceptions import RayTaskError

    from pipelines.training import remote

    try:
        ray.get(ray.remote(num_cpus=0)(remote.mark).remote(storage, name))
        looks = [ray.remote(num_cpus=0, label_selector={NODE_ID: node})(remote.sees) for node in nodes]
        shared = all(ray.get([look.remote(storage, name) for look in looks]))
    except RayTaskError as error:
        raise StageError(f"cluster.storage: {storage} cannot be written on the cluster ({last_line(error.cause)})") from error
    if not shared:
        raise StageError(f"cluster.storage: {storage} is not shared by all nodes; use a shared folder, or s3://bucket/prefix")


def last_line(error: BaseException) -> str:
    """Last line of the error's message: with a traceback, that is the cause."""
    return ([line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1]
