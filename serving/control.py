"""Starts, stops and looks after a TorchServe instance."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.server.archive import Archive, find_archives
from serving.server.errors import ControlError
from serving.server.instance import Instance, State
from serving.server.launch import last_lines, launch
from serving.server.ports import Ports, choose_ports
from serving.server.probe import check_prediction, worker_error, workers_ready

START_TIMEOUT_S = 180.0  # every worker imports torch; a loaded machine needs its time
POLL_S = 0.2


@dataclass(frozen=True)
class Server:
    """A server that has answered: its models and where it listens."""

    archives: Sequence[Archive]
    ports: Ports


def up(store: Path, folder: Path, port: int) -> Server:
    """Serve every model archive of the store, and return when each has answered a request.

    Args:
        store: folder of .mar files.
        folder: the instance's own folder; made if need be.
        port: for requests; 0 takes any free one.

    Raises:
        ControlError: it cannot be done. Nothing is left running then, nor after an interrupt.
    """
    archives = find_archives(store)
    instance = Instance(folder)
    with instance.locked():
        if instance.processes():
            raise ControlError(f"a server runs in {instance.folder} already; `make stop` ends it, another --instance adds one")
        ports = choose_ports(port)
        instance.prepare(State(ports=ports, models=[archive.name for archive in archives]))
        try:
            launch(instance, archives, store, ports)
            _wait(instance, archives, ports)
        except BaseException:
            instance.stop()
            raise
    return Server(archives, ports)


def down(folder: Path) -> int:
    """Stop the instance and return how many processes it had; 0 if it was not running.

    Raises:
        ControlError: a process would not end, or an `up` is still at work.
    """
    instance = Instance(folder)
    if not instance.folder.is_dir():
        return 0
    with instance.locked():
        return instance.stop()


def status(folder: Path) -> dict[str, bool]:
    """For each model that was to be served, whether its workers are ready.

    Raises:
        ControlError: the instance is not running.
    """
    state = Instance(folder).state()
    return {model: workers_ready(model, state.ports) for model in state.models}


def _wait(instance: Instance, archives: Sequence[Archive], ports: Ports) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    waiting = list(archives)
    while waiting := [archive for archive in waiting if not workers_ready(archive.name, ports)]:
        _check_alive(instance, waiting)
        if time.monotonic() > deadline:
            names = ", ".join(archive.name for archive in waiting)
            raise ControlError(f"not ready after {START_TIMEOUT_S:.0f} s: {names}; {instance.logs} may say why")
        time.sleep(POLL_S)
    for archive in archives:
        check_prediction(archive, ports)


def _check_alive(instance: Instance, waiting: Sequence[Archive]) -> None:
    """Raise as soon as waiting any longer is in vain."""
    for archive in waiting:
        if error := worker_error(archive.name, instance.logs / "workers.log"):
            raise ControlError(f"model {archive.name} does not load: {error}; {instance.logs / 'workers.log'} has the traceback")
    if not instance.processes():
        raise ControlError(f"TorchServe ended while it started: {last_lines(instance)}")
