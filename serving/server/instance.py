"""An instance: one server's folder with its state, logs and temporary files, and its processes."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal

import psutil
from pydantic import BaseModel

from serving.records import NAME
from serving.server.errors import ControlError
from serving.server.keys import write_secret
from serving.server.ports import Ports

# Environment variable of a server and its workers. A process keeps it until it ends, even if its parent changes; unlike a pid in
# a file, it cannot identify an unrelated process.
MARK = "SEQLINE_INSTANCE"
LONGEST_SOCKET = 100  # bytes; Unix socket paths end at 103 (macOS) or 107 (Linux)
JAVA = "org.pytorch.serve.ModelServer"  # TorchServe's main class
EXPORTER = "serving.server.exporter"  # module that serves the metrics to Prometheus
GATEWAY = "serving.server.gateway"  # module that takes feedback and, without a proxy, all requests
GRACE_S = 10.0  # TorchServe closes its channels in about 2 s
POLL_S = 0.05


class Served(BaseModel):
    """A served model.

    Attributes:
        version: active version.
        previous: previous version, kept for a rollback.
    """

    version: str
    previous: str | None = None


Kind = Literal["shadow", "canary"]  # of a trial


class Trial(BaseModel):
    """A challenger beside a served model, see `serving.server.trials`.

    Attributes:
        kind: a shadow gets copies of requests, and nobody sees its answers; a canary answers requests.
        version: the challenger's version.
        share: share of the requests, from 0 to 1.
        since: start, in seconds since 1970.
    """

    kind: Kind
    version: str
    share: float
    since: float


class State(BaseModel):
    """The state that `up` saves for the other commands.

    Attributes:
        ports: all ports.
        proxied: whether there is a proxy.
        keys: the file of client keys given by `--keys`, if any.
        mlflow: URL of the tracking server, if the page links to it.
        records: the file of records.
        models: served models by name.
        trials: running trials by the model's name.
    """

    ports: Ports
    proxied: bool
    keys: Path | None = None
    mlflow: str | None = None
    records: Path
    models: dict[str, Served]
    trials: dict[str, Trial] = {}

    @property
    def port(self) -> int:
        """The port for clients' requests."""
        return self.ports.front

    @property
    def versions(self) -> set[tuple[str, str]]:
        """The models' names with the versions that answer requests or are on trial; not those kept for a rollback."""
        return {(name, one.version) for named in (self.models, self.trials) for name, one in named.items()}


class Instance:
    """A server's folder and processes. Two instances with different folders share nothing but the machine.

    Raises:
        ControlError: the folder's path is too long for the sockets of TorchServe's workers.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.tmp = self.folder / "tmp"
        self.logs = self.folder / "logs"
        self.workers = self.logs / "workers.log"  # name chosen in log4j2.xml
        self.store = self.folder / "store"  # checked copies of the archives
        self.counts = self.folder / "counts"  # the workers' metrics, for Prometheus
        self.examples = self.folder / "examples"  # example requests, for curl
        self.site = self.folder / "site"  # what the server shows in a browser
        self.records = self.folder / NAME  # of the answers, unless `up` names another file; kept for the next server
        self.properties = self.folder / "config.properties"
        self.keys = self.folder / "key_file.json"  # name chosen by TorchServe
        self.authorization = self.folder / "authorization"
        self._state = self.folder / "state.json"
        if len(os.fsencode(self.tmp / ".ts.sock.99999")) > LONGEST_SOCKET:
            raise ControlError(f"the path {self.folder} is too long for the workers' sockets; choose a shorter --instance")

    @contextmanager
    def locked(self, wait_s: float = 0.0) -> Iterator[None]:
        """Prevent a second command on the same folder.

        Args:
            wait_s: time limit for another command to end, in seconds.

        Raises:
            ControlError: another command is running.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + wait_s
        with (self.folder / "lock").open("w") as lock:
            while not _lock(lock):
                if time.monotonic() >= deadline:
                    raise ControlError(f"another command is running on {self.folder}; wait for it or interrupt it")
                time.sleep(POLL_S)
            yield

    def prepare(self) -> None:
        """Remove the files of a previous server."""
        for folder in (self.tmp, self.logs, self.store, self.counts, self.examples, self.site):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        self.keys.unlink(missing_ok=True)

    def note(self, state: State) -> None:
        """Save the state."""
        partial = self._state.with_suffix(".part")
        partial.write_text(state.model_dump_json(indent=1) + "\n", encoding="utf-8")
        partial.replace(self._state)

    def show_key(self, key: str) -> None:
        """Write the Authorization header to a file, in the form that `curl -H @FILE` reads."""
        write_secret(self.authorization, f"Authorization: Bearer {key}\n")

    def state(self) -> State:
        """Read the state that `note` saved.

        Raises:
            ControlError: no server runs here.
        """
        state = self.noted()
        if state is None or not self.processes():
            raise ControlError(f"no server runs in {self.folder}; `make serve` starts one")
        return state

    def noted(self) -> State | None:
        """The state that `note` saved, even if the server has been killed since; None if there is none."""
        with suppress(FileNotFoundError):
            return State.model_validate_json(self._state.read_text(encoding="utf-8"))
        return None

    def processes(self) -> list[psutil.Process]:
        """All running processes of this instance: Java and its Python workers."""
        return [process for process in psutil.process_iter() if self._owns(process)]

    def runs(self, program: str) -> bool:
        """Whether a process of this instance runs a program: JAVA, EXPORTER or GATEWAY. The workers may outlive Java briefly."""
        return any(_runs(process, program) for process in self.processes())

    def stop(self) -> int:
        """Stop all processes of this instance, remove its temporary files, and return the number of processes.

        Raises:
            ControlError: some processes do not end; the message names them.
        """
        found = self.processes()
        if self._terminate(found):
            self._wait_until_gone(GRACE_S)
        self._kill()
        for folder in (self.tmp, self.store, self.examples, self.site):  # includes the unpacked models
            shutil.rmtree(folder, ignore_errors=True)
        for path in (self._state, self.keys, self.authorization):
            path.unlink(missing_ok=True)
        return len(found)

    def _terminate(self, processes: Sequence[psutil.Process]) -> bool:
        """Terminate all processes except the workers: Java stops these, and would restart them if they ended before it."""
        asked = False
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                if any(_runs(process, program) for program in (JAVA, EXPORTER, GATEWAY)):
                    process.terminate()
                    asked = True
        return asked

    def _wait_until_gone(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.processes() and time.monotonic() < deadline:
            time.sleep(POLL_S)

    def _kill(self) -> None:
        deadline = time.monotonic() + GRACE_S
        while left := self.processes():  # repeatedly: Java may start a worker while it is being killed
            if time.monotonic() > deadline:
                raise ControlError(f"processes of {self.folder} do not end when killed: {', '.join(str(p.pid) for p in left)}")
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            time.sleep(POLL_S)

    def _owns(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:  # it has ended, or it belongs to another user
            return False


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _runs(process: psutil.Process, program: str) -> bool:
    try:
        return program in process.cmdline()
    except psutil.NoSuchProcess:
        return False
