"""One server's own folder: its ports, its logs, its temporary files, and the processes that belong to it."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from pydantic import BaseModel

from serving.server.errors import ControlError
from serving.server.keys import write_secret
from serving.server.ports import Ports

# Set in the environment of a server and so of all its workers. A process carries it until it ends, whoever its parent becomes;
# unlike a pid in a file it can never name somebody else's process.
MARK = "SEQLINE_INSTANCE"
LONGEST_SOCKET = 100  # bytes; Unix socket paths end at 103 (macOS) or 107 (Linux)
EXPORTER = "serving.server.exporter"  # the module that answers Prometheus
GRACE_S = 10.0  # TorchServe closes its channels in about 2 s
POLL_S = 0.05


class Served(BaseModel):
    """A model that is served.

    Attributes:
        version: the one that answers.
        previous: the one that answered before, which waits for a rollback.
    """

    version: str
    previous: str | None = None


class State(BaseModel):
    """What `up` notes for the other commands.

    Attributes:
        ports: where everything listens.
        proxied: whether there is a proxy.
        keys: file of the proxy's clients' keys, where others write them.
        models: by name.
    """

    ports: Ports
    proxied: bool
    keys: Path | None = None
    models: dict[str, Served]

    @property
    def port(self) -> int:
        """Where clients ask."""
        return self.ports.proxy if self.proxied else self.ports.inference


class Instance:
    """A server's folder and processes. Two instances with different folders share nothing but the machine.

    Raises:
        ControlError: the folder's path is too long for the sockets of TorchServe's workers.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.tmp = self.folder / "tmp"
        self.logs = self.folder / "logs"
        self.store = self.folder / "store"  # archives, as they were when they were checked
        self.counts = self.folder / "counts"  # of the workers, for Prometheus
        self.properties = self.folder / "config.properties"
        self.keys = self.folder / "key_file.json"  # TorchServe's name for it
        self.authorization = self.folder / "authorization"
        self._state = self.folder / "state.json"
        if len(os.fsencode(self.tmp / ".ts.sock.99999")) > LONGEST_SOCKET:
            raise ControlError(f"the path {self.folder} is too long for the workers' sockets; choose a shorter --instance")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second `up` or `down` on the same folder out.

        Raises:
            ControlError: one is at work already.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ControlError(f"another up or down is at work on {self.folder}; wait for it or interrupt it") from None
            yield

    def prepare(self) -> None:
        """Clear what a former server left."""
        for folder in (self.tmp, self.logs, self.store, self.counts):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        self.keys.unlink(missing_ok=True)

    def note(self, state: State) -> None:
        """Write down what runs here."""
        partial = self._state.with_suffix(".part")
        partial.write_text(state.model_dump_json(indent=1) + "\n", encoding="utf-8")
        partial.replace(self._state)

    def show_key(self, key: str) -> None:
        """Write the header that requests need, as `curl -H @FILE` reads it."""
        write_secret(self.authorization, f"Authorization: Bearer {key}\n")

    def state(self) -> State:
        """What `note` wrote.

        Raises:
            ControlError: no server runs here.
        """
        if not self._state.is_file() or not self.processes():
            raise ControlError(f"no server runs in {self.folder}; `make serve` starts one")
        return State.model_validate_json(self._state.read_text(encoding="utf-8"))

    def processes(self) -> list[psutil.Process]:
        """Every living process of this instance: Java and its Python workers."""
        return [process for process in psutil.process_iter() if self._owns(process)]

    def runs_java(self) -> bool:
        """Whether TorchServe is there. It is a Java process; its workers may outlive it for a moment."""
        return any(_is_java(process) for process in self.processes())

    def stop(self) -> int:
        """End all processes of this instance, clear its temporary files, and return how many processes there were.

        Raises:
            ControlError: some would not end; the message names them.
        """
        found = self.processes()
        if self._terminate(found):
            self._wait_until_gone(GRACE_S)
        self._kill()
        for folder in (self.tmp, self.store):  # the models
            shutil.rmtree(folder, ignore_errors=True)
        for path in (self._state, self.keys, self.authorization):
            path.unlink(missing_ok=True)
        return len(found)

    def _terminate(self, processes: Sequence[psutil.Process]) -> bool:
        """Ask all but the workers to end; Java ends these, which it would start anew if they were ended before it."""
        asked = False
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                if _is_java(process) or EXPORTER in process.cmdline():
                    process.terminate()
                    asked = True
        return asked

    def _wait_until_gone(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.processes() and time.monotonic() < deadline:
            time.sleep(POLL_S)

    def _kill(self) -> None:
        deadline = time.monotonic() + GRACE_S
        while left := self.processes():  # again and again: Java may start a worker while it is being killed
            if time.monotonic() > deadline:
                raise ControlError(f"processes of {self.folder} do not end when killed: {', '.join(str(p.pid) for p in left)}")
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            time.sleep(POLL_S)

    def _owns(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:  # ended meanwhile, or another user's
            return False


def _is_java(process: psutil.Process) -> bool:
    try:
        return "org.pytorch.serve.ModelServer" in process.cmdline()
    except psutil.NoSuchProcess:
        return False
