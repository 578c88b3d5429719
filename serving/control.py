"""Starts, stops and looks after a TorchServe instance."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from serving.openapi import document
from serving.server.archive import Archive, find_archives, take
from serving.server.errors import ControlError
from serving.server.instance import Instance, Served, State
from serving.server.keys import TorchServeKeys
from serving.server.launch import last_lines, launch, launch_exporter
from serving.server.ports import HOST, Address, choose_ports
from serving.server.proxy import Front, Limits, Proxy, find_nginx
from serving.server.torchserve import TorchServe, worker_error

START_TIMEOUT_S = 180.0  # every worker imports torch; a loaded machine needs its time
POLL_S = 0.1
SLACK_S = 2.0  # a model answers by its deadline, if only that it has no answer
OPENAPI = "openapi.json"
LOCAL = Address()


@dataclass(frozen=True)
class Server:
    """A server that has answered: its models, what runs where, and the file with the header that requests need."""

    archives: Sequence[Archive]
    state: State
    authorization: Path

    @property
    def url(self) -> str:
        """What paths are appended to."""
        return f"{'https' if self.state.proxied else 'http'}://{HOST}:{self.state.port}"


@dataclass(frozen=True)
class Health:
    """A model that is to be served: the version that answers, and what is wrong with it; None where it answers as it should."""

    version: str
    fault: str | None

    @property
    def ready(self) -> bool:
        """Whether it answers as its archive says."""
        return self.fault is None


def up(store: Path, folder: Path, port: int, front: Front | None = None, exporter: Address = LOCAL) -> Server:
    """Serve every model archive of the store, and return when each has answered requests as its archive says.

    Args:
        store: folder of .mar files.
        folder: the instance's own folder; made if need be.
        port: for requests; 0 takes any free one.
        front: puts a proxy in front, which then has that port.
        exporter: where Prometheus finds what the workers count.

    Raises:
        ControlError: it cannot be done. Nothing is left running then, nor after an interrupt.
    """
    found = find_archives(store)
    if front:
        find_nginx()
        front.client_keys()  # what is wrong with them should not come out after everything else has started
    instance = Instance(folder)
    with instance.locked():
        if instance.processes():
            raise ControlError(f"a server runs in {instance.folder} already; `make stop` ends it, another --instance adds one")
        ports = choose_ports(port, "proxy" if front else "inference", exporter.port)
        instance.prepare()
        try:
            archives = [take(archive.path, instance.store) for archive in found]
            launch(instance, archives, ports)
            launch_exporter(instance, exporter.host, ports.exporter)
            models = {archive.name: Served(version=archive.version) for archive in archives}
            shared = front.keys.resolve() if front and front.keys else None
            state = State(ports=ports, proxied=front is not None, keys=shared, models=models)
            keys = _wait(instance, archives, state)
            _describe(instance, archives)
            if front:
                timeout_s = max(archive.deadline_s for archive in archives) + SLACK_S
                Proxy(instance).start(front, ports, keys, timeout_s)
            else:
                instance.show_key(keys.inference)
            instance.note(state)
        except BaseException:
            _end(instance, 0)
            raise
    return Server(archives, state, instance.authorization)


def down(folder: Path, drain_s: float = Limits.drain_s) -> int:
    """Stop the instance and return how many processes it had; 0 if it was not running.

    A proxy first takes no more requests and waits for the answers to those that it took.

    Args:
        folder: the instance's.
        drain_s: how long it waits at most.

    Raises:
        ControlError: a process would not end, or an `up` is still at work.
    """
    instance = Instance(folder)
    if not instance.folder.is_dir():
        return 0
    with instance.locked():
        return _end(instance, drain_s)


def status(folder: Path) -> dict[str, Health]:
    """For each model that was to be served, the version that answers, and whether it does so as its archive says.

    Raises:
        ControlError: the instance is not running.
    """
    instance = Instance(folder)
    state = instance.state()
    if state.proxied and not Proxy(instance).processes():
        raise ControlError(f"the proxy of {instance.folder} has ended; `python -m serving down`, then `up` again")
    server = _torchserve(instance, state)
    return {name: Health(served.version, _fault(server, instance, name, served.version)) for name, served in state.models.items()}


def runs(folder: Path) -> bool:
    """Whether TorchServe is there, and the proxy where there is to be one."""
    instance = Instance(folder)
    return instance.runs_java() and (not instance.state().proxied or bool(Proxy(instance).processes()))


def deploy(archive: Path, folder: Path) -> Served:
    """Let another version of a model answer, once it has shown that it can; the one that answered stays for `rollback`.

    Raises:
        ControlError: it cannot be done. The version that answers is then the one that did before.
    """
    instance = Instance(folder)
    with instance.locked():
        state = instance.state()
        before = state.models.get(archive.stem)
        if before is None:
            raise ControlError(f"the server has no model {archive.stem}, and so no other version of it; `up` serves new models")
        taken = take(archive, instance.store)
        if taken.version in (before.version, before.previous):
            raise ControlError(f"the server has version {taken.version} of {taken.name} already")
        server = _torchserve(instance, state)
        try:
            server.register(taken)
            server.check(taken)
            server.set_default(taken.name, taken.version)
        except BaseException:
            server.unregister(taken.name, taken.version)
            raise
        if before.previous:
            server.unregister(taken.name, before.previous)
        return _note(instance, state, taken.name, Served(version=taken.version, previous=before.version))


def rollback(model: str, folder: Path) -> Served:
    """Let the version answer again that did before the last `deploy`. The other stays: a second `rollback` undoes the first.

    Raises:
        ControlError: there is no such version.
    """
    instance = Instance(folder)
    with instance.locked():
        state = instance.state()
        served = state.models.get(model)
        if served is None or served.previous is None:
            raise ControlError(f"the server has no earlier version of {model}; only `deploy` makes one")
        _torchserve(instance, state).set_default(model, served.previous)
        return _note(instance, state, model, Served(version=served.previous, previous=served.version))


def rotate(folder: Path) -> Path:
    """Give out a new key, and return the file that has it; the one before it stays valid until the next time.

    Where the keys come from a file of others, what stands there now is taken.

    Raises:
        ControlError: no server runs here, or it has no proxy, or the file has no keys.
    """
    instance = Instance(folder)
    with instance.locked():
        Proxy(instance).rotate(instance.state().keys)
        return instance.authorization


def _fault(server: TorchServe, instance: Instance, model: str, version: str) -> str | None:
    if not server.ready(model, version):
        return f"not all of its workers run; {instance.logs} may say why"
    try:
        server.check(replace(Archive.read(instance.store / f"{model}-{version}.mar"), name=model))
    except ControlError as error:
        return str(error)
    return None


def _note(instance: Instance, state: State, model: str, served: Served) -> Served:
    instance.note(state.model_copy(update={"models": {**state.models, model: served}}))
    return served


def _torchserve(instance: Instance, state: State) -> TorchServe:
    return TorchServe(state.ports, TorchServeKeys.read(instance.keys))


def _end(instance: Instance, drain_s: float) -> int:
    proxy = Proxy(instance)
    count = len(proxy.processes())
    proxy.drain(drain_s)
    return count + instance.stop()


def _describe(instance: Instance, archives: Sequence[Archive]) -> None:
    text = json.dumps(document(archives), ensure_ascii=False, indent=1)
    (instance.folder / OPENAPI).write_text(text + "\n", encoding="utf-8")


def _wait(instance: Instance, archives: Sequence[Archive], state: State) -> TorchServeKeys:
    """Return TorchServe's keys when all models are ready."""
    deadline = time.monotonic() + START_TIMEOUT_S
    waiting, server = list(archives), None
    while waiting:
        if server is None and _has_keys(instance):
            server = _torchserve(instance, state)
        if server is not None:
            waiting = [archive for archive in waiting if not server.ready(archive.name, archive.version)]
        _check_alive(instance, waiting)
        if time.monotonic() > deadline:
            names = ", ".join(archive.name for archive in waiting)
            raise ControlError(f"not ready after {START_TIMEOUT_S:.0f} s: {names}; {instance.logs} may say why")
        time.sleep(POLL_S)
    for archive in archives:
        _torchserve(instance, state).check(archive)
    return TorchServeKeys.read(instance.keys)


def _has_keys(instance: Instance) -> bool:
    try:
        TorchServeKeys.read(instance.keys)
    except (OSError, ValueError, LookupError):
        return False
    return True


def _check_alive(instance: Instance, waiting: Sequence[Archive]) -> None:
    """Raise as soon as waiting any longer is in vain."""
    for archive in waiting:
        if error := worker_error(archive.name, instance.logs / "workers.log"):
            raise ControlError(f"model {archive.name} does not load: {error}; {instance.logs / 'workers.log'} has the traceback")
    if not instance.runs_java():
        raise ControlError(f"TorchServe ended while it started: {last_lines(instance)}")
