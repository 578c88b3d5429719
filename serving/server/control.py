"""Starts, stops and manages a TorchServe instance."""

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from serving.records import Keeping, Records
from serving.server import site
from serving.server.archive import Archive, find_archives, take
from serving.server.errors import ControlError
from serving.server.instance import GATEWAY, JAVA, Instance, Served, State
from serving.server.keys import TorchServeKeys
from serving.server.launch import last_lines, launch, launch_exporter, launch_gateway
from serving.server.openapi import document
from serving.server.ports import HOST, LOCAL, Address, choose_ports
from serving.server.proxy import Front, Limits, Proxy
from serving.server.torchserve import LOAD_S, POLL_S, TorchServe, worker_error
from serving.server.trials.running import end, refuse

SLACK_S = 2.0  # beyond a model's deadline, by which it answers even if only with an error
EVERYWHERE = "0.0.0.0"  # noqa: S104 - as an address to listen on, which nobody can connect to


@dataclass(frozen=True)
class Server:
    """A ready server: its models, its state, and the file with the Authorization header that requests need."""

    archives: Sequence[Archive]
    state: State
    authorization: Path

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{'https' if self.state.proxied else 'http'}://{HOST}:{self.state.port}"


@dataclass(frozen=True)
class Health:
    """Health of a served model: the active version, and what is wrong with it; None if its answers are as expected."""

    version: str
    fault: str | None

    @property
    def ready(self) -> bool:
        """Whether its answers are as expected."""
        return self.fault is None


def up(
    store: Path,
    folder: Path,
    port: int,
    front: Front | None = None,
    exporter: Address = LOCAL,
    mlflow: str | None = None,
    keeping: Keeping | None = None,
) -> Server:
    """Serve every model archive of the store; returns after each model has answered its examples as expected.

    Args:
        store: folder of .mar files.
        folder: the instance's own folder; created if missing.
        port: port for requests; 0 chooses a free one.
        front: settings of a proxy, which then gets that port; None starts none.
        exporter: address of the workers' metrics for Prometheus.
        mlflow: URL of the tracking server, to which the page links.
        keeping: what to keep of the answers; None keeps no inputs.

    Raises:
        ControlError: the server could not be started. No process is left running then, nor after an interrupt.
    """
    found = find_archives(store)
    instance = Instance(folder)
    if front:
        front.check(instance.folder)
    with instance.locked():
        if instance.processes():
            raise ControlError(f"a server already runs in {instance.folder}; stop it with `make stop`, or use another --instance")
        ports = choose_ports(port, front.address if front else HOST, exporter)
        keeping = _checked(keeping or Keeping(instance.records))
        instance.prepare()
        try:
            archives = [take(archive.path, instance.store) for archive in found]
            site.lay_out(instance.site, document(archives, mlflow))
            launch(instance, archives, ports, keeping)
            metrics = f"http://{HOST if exporter.host == EVERYWHERE else exporter.host}:{ports.exporter}/metrics"
            helpers = [launch_exporter(instance, Address(exporter.host, ports.exporter))]
            timeout_s = max(archive.deadline_s for archive in archives) + SLACK_S
            gateway = ports.gateway if front else ports.front
            helpers += [launch_gateway(instance, ports.inference, gateway, metrics, timeout_s, keeping)]
            models = {archive.name: Served(version=archive.version) for archive in archives}
            shared = front.keys.resolve() if front and front.keys else None
            state = State(ports=ports, proxied=front is not None, keys=shared, mlflow=mlflow, records=keeping.file, models=models)
            keys = _wait(instance, archives, state)
            for helper in helpers:
                helper.check()
            if front:
                Proxy(instance).start(front, ports, keys, metrics, timeout_s)
            else:
                instance.show_key(keys.inference)
            instance.note(state)
        except BaseException:
            _end(instance, 0)
            raise
    return Server(archives, state, instance.authorization)


def down(folder: Path, drain_s: float = Limits.drain_s) -> int:
    """Stop the instance and return how many processes it had; 0 if it was not running.

    A proxy first stops accepting requests and waits for the answers to the accepted ones.

    Args:
        folder: the instance's folder.
        drain_s: time limit for the wait, in seconds.

    Raises:
        ControlError: a process does not end, or another command is running on the instance.
    """
    instance = Instance(folder)
    if not instance.folder.is_dir():
        return 0
    with instance.locked():
        return _end(instance, drain_s)


def status(folder: Path) -> dict[str, Health]:
    """Check each model: its active version, and whether its answers are as expected.

    Raises:
        ControlError: the instance is not running.
    """
    instance = Instance(folder)
    state = instance.state()
    if state.proxied and not Proxy(instance).processes():
        raise ControlError(f"the proxy of {instance.folder} has ended; run `seqline down`, then `up` again")
    if not instance.runs(GATEWAY):
        raise ControlError(f"the gateway of {instance.folder} has ended; run `seqline down`, then `up` again")
    server = TorchServe.of(instance, state)
    return {name: Health(served.version, _fault(server, instance, name, served.version)) for name, served in state.models.items()}


def runs(folder: Path) -> bool:
    """Whether TorchServe runs, and what is in front of it."""
    instance = Instance(folder)
    in_front = bool(Proxy(instance).processes()) or not instance.state().proxied
    return instance.runs(JAVA) and instance.runs(GATEWAY) and in_front


def deploy(archive: Path, folder: Path) -> Served:
    """Switch a model to another version after checking its answers; the previous one stays loaded for `rollback`.

    The version of a trial, and the one kept for `rollback`, are already loaded. The former's trial ends.

    Raises:
        ControlError: the version could not be deployed; the previous version stays active.
    """
    instance = Instance(folder)
    with instance.locked():
        state = instance.state()
        before = state.models.get(archive.stem)
        if before is None:
            raise ControlError(f"the server has no model {archive.stem} to replace; only `up` adds models")
        taken = take(archive, instance.store)
        trial = state.trials.get(taken.name)
        on_trial = trial is not None and trial.version == taken.version
        if not on_trial:
            refuse(taken.name, state)
            if taken.version == before.version:
                raise ControlError(f"the server already has version {taken.version} of {taken.name}")
        server = TorchServe.of(instance, state)
        with server.loaded(taken, already=on_trial or taken.version == before.previous):
            server.set_default(taken.name, taken.version)
        served = _note(instance, state, taken.name, Served(version=taken.version, previous=before.version))
        if on_trial:
            end(instance, instance.state(), taken.name)
        if before.previous and before.previous != taken.version:
            server.unregister(taken.name, before.previous)
        return served


def rollback(model: str, folder: Path) -> Served:
    """Switch back to the version before the last `deploy`. Both stay loaded, so a second `rollback` undoes the first.

    Raises:
        ControlError: there is no previous version.
    """
    instance = Instance(folder)
    with instance.locked():
        state = instance.state()
        served = state.models.get(model)
        if served is None or served.previous is None:
            raise ControlError(f"the server has no previous version of {model}; only `deploy` creates one")
        refuse(model, state)
        TorchServe.of(instance, state).set_default(model, served.previous)
        return _note(instance, state, model, Served(version=served.previous, previous=served.version))


def rotate(folder: Path) -> Path:
    """Create a new key and return the file that contains it; the previous key stays valid until the next rotation.

    If the keys come from a file (`--keys`), that file is read again instead.

    Raises:
        ControlError: no server runs here, it has no proxy, or the file has no valid keys.
    """
    instance = Instance(folder)
    with instance.locked():
        Proxy(instance).rotate(instance.state().keys)
        return instance.authorization


def _fault(server: TorchServe, instance: Instance, model: str, version: str) -> str | None:
    if not server.ready(model, version):
        return f"not all of its workers run; see {instance.logs}"
    try:
        server.check(_taken(instance, model, version))
    except ControlError as error:
        return str(error)
    return None


def _note(instance: Instance, state: State, model: str, served: Served) -> Served:
    """Save that another version of a model is active, and describe that one from now on."""
    models = {**state.models, model: served}
    instance.note(state.model_copy(update={"models": models}))
    archives = [_taken(instance, name, one.version) for name, one in models.items()]
    site.describe(instance.site, document(archives, state.mlflow))
    return served


def _taken(instance: Instance, model: str, version: str) -> Archive:
    return replace(Archive.read(instance.store / f"{model}-{version}.mar"), name=model)


def _checked(keeping: Keeping) -> Keeping:
    """The same with an absolute path of the file, which is created if it is missing. Raises ControlError if it cannot be."""
    path = keeping.file.resolve()
    try:
        Records(path).close()
    except (OSError, sqlite3.Error) as error:
        raise ControlError(f"the file of records {path} cannot be used: {error}") from error
    return replace(keeping, file=path)


def _end(instance: Instance, drain_s: float) -> int:
    proxy = Proxy(instance)
    count = len(proxy.processes())
    proxy.drain(drain_s)
    return count + instance.stop()


def _wait(instance: Instance, archives: Sequence[Archive], state: State) -> TorchServeKeys:
    """Return TorchServe's keys when all models are ready."""
    deadline = time.monotonic() + LOAD_S
    waiting, server = list(archives), None
    while waiting:
        if server is None and _has_keys(instance):
            server = TorchServe.of(instance, state)
        if server is not None:
            waiting = [archive for archive in waiting if not server.ready(archive.name, archive.version)]
        _check_alive(instance, waiting)
        if time.monotonic() > deadline:
            names = ", ".join(archive.name for archive in waiting)
            raise ControlError(f"not ready after {LOAD_S:.0f} s: {names}; see {instance.logs}")
        time.sleep(POLL_S)
    for archive in archives:
        TorchServe.of(instance, state).check(archive)
    return TorchServeKeys.read(instance.keys)


def _has_keys(instance: Instance) -> bool:
    try:
        TorchServeKeys.read(instance.keys)
    except (OSError, ValueError, LookupError):
        return False
    return True


def _check_alive(instance: Instance, waiting: Sequence[Archive]) -> None:
    """Raise ControlError if a worker or TorchServe has failed, so that waiting is pointless."""
    for archive in waiting:
        if error := worker_error(archive.name, archive.version, instance.workers):
            raise ControlError(f"model {archive.name} does not load: {error}; see the traceback in {instance.workers}")
    if not instance.runs(JAVA):
        raise ControlError(f"TorchServe failed to start: {last_lines(instance)}")
