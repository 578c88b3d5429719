"""What has to be right about a cluster before a training begins there; what is not is one line."""

import os
import socket
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from urllib.parse import urlsplit

from pipelines.params import Params
from pipelines.stage import StageError

TIMEOUT_S = 10  # for the cluster to answer
NODE_ID = "ray.io/node-id"  # a label that Ray gives each node


def check_ray() -> None:
    """Raises StageError where Ray is not installed."""
    if find_spec("ray") is None:
        raise StageError(
            "RAY_ADDRESS is set, but Ray is not installed here: pip install -c constraints.txt -e '.[train,workers]', or unset it"
        )


def check_device(params: Params) -> None:
    """Raises StageError where `device` and the workers' GPUs contradict each other."""
    gpus = params.cluster.gpus_per_worker
    if params.device != "auto" and (params.device == "cuda") != bool(gpus):
        raise StageError(
            f"device: {params.device}, but cluster.gpus_per_worker is {gpus}; change one of them, or use device: auto"
        )


def check_answers(address: str) -> None:
    """Raises StageError where nothing answers at the address or it is none. Ray by itself might wait for minutes."""
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
        raise unreachable(address, error.strerror or str(error)) from error
    if not os.environ.get("RAY_USE_TLS"):  # else it takes Ray's certificates to ask
        _check_speaks(address, f"{host}:{port}")


def _check_speaks(address: str, place: str) -> None:
    """Raises StageError where what listens does not speak Ray's protocol."""
    import grpc  # which comes with Ray

    with grpc.insecure_channel(place) as channel:
        try:
            grpc.channel_ready_future(channel).result(TIMEOUT_S)
        except grpc.FutureTimeoutError as error:
            raise unreachable(address, f"what listens there did not answer in {TIMEOUT_S} s") from error


def unreachable(address: str, reason: str) -> StageError:
    """The line about a cluster that is not there."""
    return StageError(f"no Ray cluster answers at RAY_ADDRESS={address} ({reason}); start it, or unset RAY_ADDRESS to train here")


def check_room(address: str, params: Params, nodes: Sequence[Mapping[str, float]]) -> None:
    """Whether all workers of a job fit on the nodes, were these idle.

    Args:
        address: of the cluster.
        params: see params.yaml.
        nodes: what each one has, in Ray's terms.

    Raises:
        StageError: they do not.
    """
    needed, workers = params.cluster.needs(), params.cluster.workers
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
    """Whether all nodes of the cluster that this process is connected to can use the storage.

    Args:
        storage: folder or URI.
        name: of the job.
        nodes: Ray's ids of them.

    Raises:
        StageError: it cannot be written, or some node does not see what another wrote.
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
        raise StageError(
            f"cluster.storage: {storage} is not the same on all nodes; use a folder that they share, or s3://bucket/prefix"
        )


def last_line(error: BaseException) -> str:
    """Of what it says: after a traceback, that is the cause."""
    return ([line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1]
