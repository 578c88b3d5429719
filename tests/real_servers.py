"""Real servers on this machine for the tests: S3 object storage, and MLflow's tracking server."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from serving.server.ports import free_port

HOST = "127.0.0.1"
# rclone sends the checksum of the whole object with each part, and clients would check the part against it.
CLIENT = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required"}
ACCESS = CLIENT | {"AWS_ACCESS_KEY_ID": "a-name", "AWS_SECRET_ACCESS_KEY": "a-secret"}
STRANGER = ACCESS | {"AWS_SECRET_ACCESS_KEY": "a-guess"}
NOBODY = CLIENT | {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
START_S = 90  # long enough for a shared machine


class Process:
    """A server as a child process in its own process group; it can be killed and restarted at the same address."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self._command, self._log = command, log
        self.url = f"http://{HOST}:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, ready: Callable[[str], bool], environment: Mapping[str, str] | None = None) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env={**os.environ, **(environment or {})}, start_new_session=True
            )
        deadline = time.monotonic() + START_S
        while not ready(self.url):
            assert self._process.poll() is None, self._log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, self._log.read_text(encoding="utf-8")
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill the process and its children, like `kill -9`."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def object_storage(folder: Path, *buckets: str) -> Iterator[str]:
    """Run an S3 server that accepts the credentials ACCESS, and yield its URL; objects are in `folder`/BUCKET/KEY."""
    for bucket in buckets:
        (folder / bucket).mkdir(parents=True)
    rclone = shutil.which("rclone", path=f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert rclone, "rclone is missing; the dev extra installs it"
    port = free_port()
    keys = f"{ACCESS['AWS_ACCESS_KEY_ID']},{ACCESS['AWS_SECRET_ACCESS_KEY']}"
    command = [rclone, "serve", "s3", "--addr", f"{HOST}:{port}", "--auth-key", keys, str(folder)]
    process = Process(command, port, folder.with_suffix(".log"))
    try:
        process.start(_listens)
        yield process.url
    finally:
        process.kill()


class TrackingServer:
    """MLflow's tracking server, with a SQLite database.

    Args:
        folder: folder of the database and the log.
        artifacts: where the server keeps artifacts.
        environment: environment variables that it needs for that.
    """

    def __init__(self, folder: Path, artifacts: str, environment: Mapping[str, str]) -> None:
        port, self._environment = free_port(), environment
        stores = ["--backend-store-uri", f"sqlite:///{folder / 'runs.db'}", "--artifacts-destination", artifacts]
        command = [sys.executable, "-m", "mlflow", "server", *stores, "--host", HOST, "--port", str(port), "--workers", "1"]
        self._process = Process(command, port, folder / "mlflow.log")
        self.url = self._process.url

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        lean = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        self._process.start(_tells_version, {**self._environment, **lean, **(environment or {})})

    def kill(self) -> None:
        self._process.kill()


def _listens(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, int(url.rpartition(":")[2]))) == 0


def _tells_version(url: str) -> bool:
    try:
        return requests.get(f"{url}/version", timeout=5).ok
    except requests.RequestException:
        return False
