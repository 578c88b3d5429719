"""nginx in front of TorchServe: TLS, keys, limits, one more try where a worker died, and an end that loses no request."""

import getpass
import math
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Final

import psutil

from serving.faults import FAILED, LATE, ErrorAnswer, ErrorDetail
from serving.server.errors import ControlError
from serving.server.instance import Instance
from serving.server.keys import ClientKeys, TorchServeKeys, write_secret
from serving.server.ports import HOST, Ports

HERE: Final = Path(__file__).parent
PROXY, UPSTREAM, KEYS, CLIENT_KEYS = "nginx.conf", "upstream.conf", "keys.conf", "keys.json"
CERTIFICATE: Final = "certificate.pem"  # the one that vouches for itself
POLL_S: Final = 0.05
WAIT_S: Final = 10.0


class _Conf(Template):
    """nginx has uses of its own for the dollar sign and the at sign."""

    delimiter = "%"


@dataclass(frozen=True)
class Limits:
    """How much the proxy lets through.

    Attributes:
        rate: requests a second of one key.
        burst: requests of a key that may come at once beyond these.
        in_flight: requests to one model that may be under way; more would only wait, and are told to come again.
        body: the largest body, as nginx writes sizes.
        drain_s: seconds that requests under way have at the end.
    """

    rate: int = 2000
    burst: int = 200
    in_flight: int = 24
    body: str = "256k"
    drain_s: int = 30


@dataclass(frozen=True)
class Certificate:
    """Files in PEM form."""

    chain: Path
    key: Path


@dataclass(frozen=True)
class Front:
    """The proxy that a server is to have.

    Attributes:
        certificate: what it shows; None makes one that vouches for itself, for this machine alone.
        limits: what it lets through.
        address: where it listens.
        keys: file of the clients' keys, see `ClientKeys.read`; None draws one.
        access_log: where it writes a line for each request; None writes into the instance's logs.
    """

    certificate: Certificate | None = None
    limits: Limits = field(default_factory=Limits)
    address: str = HOST
    keys: Path | None = None
    access_log: Path | None = None

    def client_keys(self) -> ClientKeys:
        """The keys to begin with.

        Raises:
            ControlError: the file has none.
        """
        return ClientKeys.read(self.keys) if self.keys else ClientKeys.new()


class Proxy:
    """The nginx of an instance. Its files are those of the instance's folder."""

    def __init__(self, instance: Instance) -> None:
        self._instance, self._folder = instance, instance.folder

    def start(self, front: Front, ports: Ports, keys: TorchServeKeys, timeout_s: float) -> None:
        """Start nginx; it listens when this returns.

        Args:
            front: what it is to be like.
            ports: where it listens, `proxy`, and where TorchServe does.
            keys: TorchServe's.
            timeout_s: seconds without an answer from TorchServe after which it must have lost the request.

        Raises:
            ControlError: nginx is missing, or would not start; or there are no keys where they should be.
        """
        (self._folder / CERTIFICATE).unlink(missing_ok=True)  # a former server's, which nobody should trust instead of this one's
        certificate = front.certificate or self._self_signed()
        client_keys = front.client_keys()
        values = {
            **{name: str(port) for name, port in ports.model_dump().items()},
            **{name: str(value) for name, value in vars(front.limits).items()},
            "body_limit": front.limits.body,
            "timeout_s": str(math.ceil(timeout_s)),
            "user": f"user {getpass.getuser()};" if os.getuid() == 0 else "",
            "folder": str(self._folder),
            "logs": str(self._instance.logs),
            "access_log": str(front.access_log or self._instance.logs / "access.log"),
            "tmp": str(self._instance.tmp),
            "host": HOST,
            "listen": f"{front.address}:{ports.proxy}",
            "token": keys.inference,
            "failed": _error(FAILED),
            "late": _error(LATE),
            "certificate": str(certificate.chain.resolve()),
            "certificate_key": str(certificate.key.resolve()),
        }
        for name in (PROXY, UPSTREAM):
            write_secret(self._folder / name, _Conf((HERE / name).read_text(encoding="utf-8")).substitute(values))
        self._write(client_keys)
        self._nginx()
        if not _wait_until(lambda: bool(self._accepting())):  # it goes into the background before it has written its pid
            raise ControlError(f"nginx did not start; {self._instance.logs}/proxy-errors.log may say why")
        self._instance.show_key(client_keys.newest)

    def rotate(self, source: Path | None) -> None:
        """Give out a new key; see `ClientKeys.rotated`.

        Args:
            source: file of the clients' keys, whose owner changes them; None draws the new key.

        Raises:
            ControlError: there is no proxy here, or no key in the file.
        """
        if not self.processes():
            raise ControlError(f"no proxy runs in {self._folder}; only a server that was started with --proxy has keys to change")
        keys = ClientKeys.read(source) if source else self._client_keys().rotated()
        self._write(keys)
        before = self._accepting()
        self._nginx("-s", "reload")
        _wait_until(lambda: bool(self._accepting() - before) and not self._accepting() & before)
        self._instance.show_key(keys.newest)  # not before every worker knows it

    def drain(self, seconds: float) -> None:
        """Take no more requests, and return when those that were taken are answered, or `seconds` are over."""
        if not self.processes():
            return
        self._nginx("-s", "quit")
        _wait_until(lambda: not self.processes(), seconds)
        for process in self.processes():
            process.kill()

    def processes(self) -> list[psutil.Process]:
        """The master process and its workers. The master's title has the path of its settings, whoever had its pid before."""
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

    def _accepting(self) -> set[int]:
        """Workers that take new connections; those of former settings, which answer what they have, say so in their titles."""
        found = set[int]()
        for process in self.processes()[1:]:
            with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                title = " ".join(process.cmdline())
                if title and "shutting down" not in title:
                    found.add(process.pid)
        return found

    def _nginx(self, *arguments: str) -> None:
        nginx = find_nginx()
        errors = str(self._instance.logs / "proxy-errors.log")  # also of before it has read its settings
        command = [nginx, "-e", errors, "-c", str(self._folder / PROXY), "-p", str(self._folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise ControlError(f"nginx refused: {done.stderr.strip()}")

    def _self_signed(self) -> Certificate:
        certificate = Certificate(self._folder / CERTIFICATE, self._folder / "certificate-key.pem")
        openssl = shutil.which("openssl")
        if openssl is None:
            raise ControlError(
                "making a certificate needs openssl; install it, or name one by --certificate and --certificate-key"
            )
        write_secret(certificate.key, "")
        command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "365"]
        command += ["-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:localhost,IP:{HOST}"]
        command += ["-keyout", str(certificate.key), "-out", str(certificate.chain)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise ControlError(f"openssl made no certificate: {done.stderr.strip()}")
        return certificate


def _error(detail: ErrorDetail) -> str:
    return ErrorAnswer(error=detail).model_dump_json(exclude_none=True).replace("'", "\\'")


def _wait_until(happened: Callable[[], bool], seconds: float = WAIT_S) -> bool:
    """Return whether it happened within the time."""
    deadline = time.monotonic() + seconds
    while not (done := happened()) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return done


def find_nginx() -> str:
    """Where nginx is.

    Raises:
        ControlError: it is not installed.
    """
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/usr/local/sbin")
    if found is None:
        raise ControlError("nginx is not installed; `apt-get install nginx-light` or `brew install nginx` brings it")
    return found
