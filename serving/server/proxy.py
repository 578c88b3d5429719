"""nginx in front of TorchServe: TLS, keys, limits, a retry after a worker crash, and a graceful shutdown."""

import getpass
import math
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Final

import psutil

from serving.contract import faults
from serving.contract.faults import ErrorAnswer
from serving.server import site
from serving.server.certificate import SELF_SIGNED, Certificate, self_signed
from serving.server.errors import ControlError
from serving.server.instance import Instance, Trial
from serving.server.keys import ClientKeys, TorchServeKeys, write_secret
from serving.server.ports import HOST, Ports
from serving.server.trials import splits

HERE: Final = Path(__file__).parent
PROXY, UPSTREAM, CHALLENGER = "nginx.conf", "upstream.conf", "challenger.conf"
KEYS, CLIENT_KEYS = "keys.conf", "keys.json"
TRIALS, MIRROR = "trials.conf", "mirror.conf"
ERRORS: Final = {
    "encoded": faults.ENCODED,
    "failed": faults.FAILED,
    "invalid_deadline": faults.INVALID_DEADLINE,
    "late": faults.LATE,
    "no_key": faults.NO_KEY,
    "not_found": faults.NOT_FOUND,
    "not_post": faults.NOT_POST,
    "unavailable": faults.UNAVAILABLE,
}
UNWRITABLE: Final = re.compile(r"""["$\\\n\r]""")  # inside quotation marks in nginx's configuration
POLL_S: Final = 0.05
WAIT_S: Final = 10.0


class _Conf(Template):
    """A template with % as delimiter, because nginx's configuration uses $ and @."""

    delimiter = "%"


@dataclass(frozen=True)
class Limits:
    """Limits of the proxy.

    Attributes:
        rate: requests per second for each key.
        burst: additional requests that a key may send at once.
        in_flight: concurrent requests to each model, by gRPC to all models together, and about feedback with each key; more
            would only wait, so they are refused.
        body: largest body, in nginx's notation.
        drain_s: time limit for pending requests at shutdown, in seconds.
    """

    rate: int = 2000
    burst: int = 200
    in_flight: int = 24
    body: str = "256k"
    drain_s: int = 30


@dataclass(frozen=True)
class Front:
    """Settings of a server's proxy.

    Attributes:
        certificate: TLS certificate; None creates a self-signed one for this machine.
        limits: limits of requests.
        address: address to listen on.
        keys: file of client keys, see `ClientKeys.read`; None creates a random one.
        access_log: file for the log of requests; None uses the instance's logs.
    """

    certificate: Certificate | None = None
    limits: Limits = field(default_factory=Limits)
    address: str = HOST
    keys: Path | None = None
    access_log: Path | None = None

    def check(self, folder: Path) -> None:
        """Check the proxy's prerequisites before anything starts.

        Args:
            folder: the instance's folder.

        Raises:
            ControlError: nginx is missing, the key file is invalid, or nginx's configuration cannot express a path.
        """
        find_nginx()
        self.client_keys()
        certificate = [self.certificate.chain, self.certificate.key] if self.certificate else []
        for path in (folder, self.access_log, *certificate):
            if path and (found := UNWRITABLE.search(str(path.resolve()))):
                raise ControlError(f"nginx does not support paths with {found[0]!r}: {path}")

    def client_keys(self) -> ClientKeys:
        """The initial keys.

        Raises:
            ControlError: the key file is invalid.
        """
        return ClientKeys.read(self.keys) if self.keys else ClientKeys.new()


class Proxy:
    """The nginx of an instance; its files are in the instance's folder."""

    def __init__(self, instance: Instance) -> None:
        self._instance, self._folder = instance, instance.folder

    def start(self, front: Front, ports: Ports, keys: TorchServeKeys, metrics: str, timeout_s: float) -> None:
        """Start nginx and wait until it listens.

        Args:
            front: settings.
            ports: the ports of the proxy and of TorchServe.
            keys: TorchServe's keys.
            metrics: URL of the exporter.
            timeout_s: seconds without an answer after which TorchServe must have lost the request.

        Raises:
            ControlError: nginx is missing or does not start, or the key file is invalid.
        """
        (self._folder / SELF_SIGNED).unlink(missing_ok=True)  # of a previous server; clients must not trust it
        certificate = front.certificate or self_signed(self._folder)
        client_keys, patience_s = front.client_keys(), math.ceil(timeout_s / 2)  # with a challenger; then the champion has time
        values = {
            **{name: str(port) for name, port in ports.model_dump().items()},
            **{name: str(value) for name, value in vars(front.limits).items()},
            "body_limit": front.limits.body,
            "timeout_s": str(math.ceil(timeout_s)),
            "patience_s": str(patience_s),
            "seconds_below": "|".join(map(str, range(patience_s))),
            "user": f"user {getpass.getuser()};" if os.getuid() == 0 else "",
            "folder": str(self._folder),
            "logs": str(self._instance.logs),
            "access_log": str(front.access_log or self._instance.logs / "access.log"),
            "tmp": str(self._instance.tmp),
            "host": HOST,
            "listen": f"{front.address}:{ports.front}",
            "metrics_url": metrics,
            "site": str(self._instance.site),
            "site_headers": " ".join(f'add_header {name} "{value}" always;' for name, value in site.HEADERS.items()),
            "views": "".join(_view(path, name) for path, name in site.VIEWS.items()),
            "token": keys.inference,
            **{name: ErrorAnswer.body(detail).replace("'", "\\'") for name, detail in ERRORS.items()},
            "certificate": str(certificate.chain.resolve()),
            "certificate_key": str(certificate.key.resolve()),
        }
        for name in (PROXY, UPSTREAM, CHALLENGER):
            write_secret(self._folder / name, _Conf((HERE / name).read_text(encoding="utf-8")).substitute(values))
        self._write(client_keys)
        self._write_splits({})
        self._nginx()
        if not _wait_until(lambda: bool(self._accepting())):  # it writes its pid only after going into the background
            raise ControlError(f"nginx did not start; see {self._instance.logs}/proxy-errors.log")
        self._instance.show_key(client_keys.newest)

    def rotate(self, source: Path | None) -> None:
        """Rotate the keys; see `ClientKeys.rotated`.

        Args:
            source: file of client keys to read again; None creates a new random key.

        Raises:
            ControlError: no proxy runs here, or the key file is invalid.
        """
        if not self.processes():
            raise ControlError(f"no proxy runs in {self._folder}; key rotation needs a server that was started with --proxy")
        keys = ClientKeys.read(source) if source else self._client_keys().rotated()
        self._write(keys)
        self._reload()
        self._instance.show_key(keys.newest)  # only after all workers accept it

    def split(self, trials: Mapping[str, Trial]) -> None:
        """Split requests for trials by the model's name; returns when new requests follow it.

        Raises:
            ControlError: nginx does not take the settings, or does not follow them in time.
        """
        self._write_splits(trials)
        self._reload()

    def reopen_logs(self) -> None:
        """Let nginx write its logs to new files if the present ones were renamed."""
        for master in self.processes()[:1]:
            master.send_signal(signal.SIGUSR1)

    def settle(self) -> None:
        """Wait until requests that were accepted before the last change are answered; nginx gives up those that take too long."""
        _wait_until(lambda: {process.pid for process in self.processes()[1:]} <= self._accepting(), Limits.drain_s)

    def drain(self, seconds: float) -> None:
        """Stop accepting requests; returns when the accepted ones are answered or `seconds` are over."""
        if not self.processes():
            return
        self._nginx("-s", "quit")
        _wait_until(lambda: not self.processes(), seconds)
        for process in self.processes():
            process.kill()

    def processes(self) -> list[psutil.Process]:
        """The master process and its workers. The path in the master's title proves that the pid was not reused."""
        try:
            master = psutil.Process(int((self._folder / "nginx.pid").read_text(encoding="utf-8")))
            if str(self._folder / PROXY) not in " ".join(master.cmdline()):
                return []
            return [master, *master.children()]
        except (OSError, ValueError, psutil.Error):
            return []

    def _client_keys(self) -> ClientKeys:
        return ClientKeys.model_validate_json((self._folder / CLIENT_KEYS).read_text(encoding="utf-8"))

    def _write(self, keys: ClientKeys) -> None:
        write_secret(self._folder / CLIENT_KEYS, keys.model_dump_json())
        write_secret(self._folder / KEYS, keys.nginx())

    def _write_splits(self, trials: Mapping[str, Trial]) -> None:
        (self._folder / TRIALS).write_text(splits.of_requests(trials), encoding="utf-8")
        (self._folder / MIRROR).write_text(splits.copies(trials), encoding="utf-8")

    def _reload(self) -> None:
        """Let nginx read its settings again; returns when no worker with the old ones accepts requests."""
        before = self._accepting()
        self._nginx("-s", "reload")
        if not _wait_until(lambda: bool(self._accepting() - before) and not self._accepting() & before):
            raise ControlError(f"nginx does not follow its new settings; see {self._instance.logs}/proxy-errors.log")

    def _accepting(self) -> set[int]:
        """Workers that accept connections. After a reload, old workers answer pending requests and say so in their titles."""
        found = set[int]()
        for process in self.processes()[1:]:
            with suppress(psutil.NoSuchProcess):  # it has just ended
                title = " ".join(process.cmdline())
                if title and "shutting down" not in title:
                    found.add(process.pid)
        return found

    def _nginx(self, *arguments: str) -> None:
        nginx = find_nginx()
        errors = str(self._instance.logs / "proxy-errors.log")  # also for errors before it has read its configuration
        command = [nginx, "-e", errors, "-c", str(self._folder / PROXY), "-p", str(self._folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise ControlError(f"nginx failed: {done.stderr.strip()}")


def _view(path: str, name: str) -> str:
    """The location of a page."""
    kind = "text/html" if name.endswith(".html") else "application/json"
    only_read = "if ($request_method !~ ^(GET|HEAD)$) { return 404; }"
    return f"        location = {path} {{ {only_read} default_type {kind}; try_files /{name} =404; }}\n"


def _wait_until(happened: Callable[[], bool], seconds: float = WAIT_S) -> bool:
    """Wait for a condition; returns whether it came true within the time."""
    deadline = time.monotonic() + seconds
    while not (done := happened()) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return done


def find_nginx() -> str:
    """Find the nginx executable.

    Raises:
        ControlError: it is not installed.
    """
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/usr/local/sbin")
    if found is None:
        raise ControlError("nginx is not installed; run `apt-get install nginx-light` or `brew install nginx`")
    return found
