"""Client of a running TorchServe: checks models, registers versions and switches between them."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

from serving.contents import same
from serving.contract import headers
from serving.server.archive import Archive
from serving.server.errors import ControlError
from serving.server.instance import Instance, State
from serving.server.keys import TorchServeKeys
from serving.server.ports import HOST, Ports

TIMEOUT_S: Final = 60.0
LOAD_S: Final = 180.0  # every worker imports torch, which is slow on a loaded machine
POLL_S: Final = 0.1
ACCEPTED: Final = 202
TRACEBACK: Final = "Traceback (most recent call last):"


class TorchServe:
    """Access to a running TorchServe.

    Args:
        ports: its ports.
        keys: its keys.
        log: the log of its workers.
    """

    def __init__(self, ports: Ports, keys: TorchServeKeys, log: Path) -> None:
        self._ports, self._keys, self._log = ports, keys, log

    @classmethod
    def of(cls, instance: Instance, state: State) -> Self:
        """The TorchServe of an instance."""
        return cls(state.ports, TorchServeKeys.read(instance.keys), instance.workers)

    def ready(self, model: str, version: str) -> bool:
        """Whether all workers of the model have loaded it; TorchServe's own /ping reports Healthy even if they failed."""
        try:
            status, body = self._manage("GET", f"/models/{quote(model)}/{version}")
        except (OSError, HTTPException):
            return False
        workers = body[0]["workers"] if status == 200 else []
        return bool(workers) and all(worker["status"] == "READY" for worker in workers)

    def check(self, archive: Archive) -> None:
        """Send a model the example requests of its archive.

        Raises:
            ControlError: an answer differs from the expected one.
        """
        for example in archive.examples:
            path = f"/predictions/{quote(archive.name)}/{archive.version}"
            try:
                status, body = _call(self._ports.inference, "POST", path, self._keys.inference, json.dumps(example.request))
            except (OSError, HTTPException) as error:
                raise ControlError(f"model {archive.name} loaded, but a request to it failed: {error}") from error
            if status != 200:
                asked, said = json.dumps(example.request), json.dumps(body, ensure_ascii=False)[:500]
                raise ControlError(f"model {archive.name} loaded, but answered {asked} with status {status}: {said}")
            if not same(example.answer, body):
                raise ControlError(archive.wrong_here(example, body))

    def register(self, archive: Archive) -> None:
        """Load another version of a model; returns when its workers are ready.

        TorchServe could wait for them, too, but as long as it does, it keeps back the requests on some of its connections.

        Raises:
            ControlError: it does not load.
        """
        query = {
            "url": archive.path.name,
            "model_name": archive.name,
            "initial_workers": archive.workers,
            "synchronous": "false",
        }
        named, size = f"version {archive.version} of {archive.name}", self._log.stat().st_size
        status, body = self._manage("POST", f"/models?{urlencode(query)}")
        if status != ACCEPTED:
            raise ControlError(f"{named} does not load: {_said(body)}")
        deadline = time.monotonic() + LOAD_S
        while not self.ready(archive.name, archive.version):
            if error := worker_error(archive.name, archive.version, self._log, size):
                raise ControlError(f"{named} does not load: {error}")
            if time.monotonic() > deadline:
                raise ControlError(f"{named} is not ready after {LOAD_S:.0f} s; see {self._log}")
            time.sleep(POLL_S)

    @contextmanager
    def loaded(self, archive: Archive, *, already: bool = False) -> Iterator[None]:
        """Load another version of a model and check its answers; if that or the block fails, unload it again.

        Args:
            archive: the version.
            already: whether it is loaded, and stays so.

        Raises:
            ControlError: it does not load, or an answer differs from the expected one.
        """
        try:
            if not already:
                self.register(archive)
            self.check(archive)
            yield
        except BaseException:
            if not already:
                self.unregister(archive.name, archive.version)
            raise

    def set_default(self, model: str, version: str) -> None:
        """Make a version the default for requests without a version, from the next request on.

        Raises:
            ControlError: there is no such version.
        """
        status, body = self._manage("PUT", f"/models/{quote(model)}/{version}/set-default")
        if status != 200:
            raise ControlError(f"version {version} of {model} cannot become the default: {_said(body)}")

    def unregister(self, model: str, version: str) -> None:
        """Unregister a version if it exists; its workers end."""
        self._manage("DELETE", f"/models/{quote(model)}/{version}")

    def _manage(self, method: str, path: str) -> tuple[int, Any]:
        return _call(self._ports.management, method, path, self._keys.management)


def worker_error(model: str, version: str, log: Path, start: int = 0) -> str | None:
    """The error that ended a worker of a version of a model; None if none has ended.

    The log has a line for each line that a worker prints; the thread's name tells the model and its version.

    Args:
        model: the model's name.
        version: its version.
        log: the log of all workers.
        start: number of bytes to skip.
    """
    printed = re.compile(rf"W-\d+-{re.escape(model)}_{re.escape(version)}-stdout - (.*)")
    lines = log.read_bytes()[start:].decode(errors="replace").splitlines() if log.is_file() else []
    ours = [match[1] for line in lines if (match := printed.search(line))]
    if "Backend worker process died." not in ours:
        return None
    first = len(ours) - ours[::-1].index(TRACEBACK) if TRACEBACK in ours else len(ours)
    return next((text for text in ours[first:] if not text.startswith(" ")), None)  # also None while the log is being written


def _said(body: Any) -> str:
    return str(body.get("message", body)) if isinstance(body, dict) else str(body)


def _call(port: int, method: str, path: str, key: str, body: str | None = None) -> tuple[int, Any]:
    """Send one request, ignoring proxy settings. Returns the status and the body, parsed if it is JSON."""
    connection = HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    try:
        sent = {"Authorization": f"Bearer {key}"} | ({"Content-Type": "application/json", headers.PROBE: "1"} if body else {})
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    finally:
        connection.close()
    try:
        return response.status, json.loads(text)
    except ValueError:
        return response.status, text
