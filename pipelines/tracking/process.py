"""The process that tracks the stages of one pipeline run in MLflow, see `pipelines.tracking.tracker`."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from tempfile import TemporaryDirectory

from pipelines.tracking.client import TRACKER


class TrackerProcess:
    """Starts with the first stage, so that it is ready when a stage needs tracking."""

    def __init__(self) -> None:
        self._folder: TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        """Environment variables that a stage needs to find the tracker; empty if MLflow is not installed."""
        if self._folder is None:
            if find_spec("mlflow") is None:
                return {}
            self._folder = TemporaryDirectory(prefix="seqline-")
            self._start(self._place)
        return {TRACKER: self._place}

    @property
    def _place(self) -> str:
        return f"{self._folder.name}/tracker" if self._folder else ""

    def _start(self, place: str) -> None:
        """Start the tracker. Stages may connect immediately: they block until it is ready."""
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(place)
            listening.listen()
            number = listening.fileno()
            self._process = subprocess.Popen(  # noqa: S603 - no external input
                [sys.executable, "-m", "pipelines.tracking.tracker", str(number)],
                stdin=subprocess.DEVNULL,
                pass_fds=[number],
                process_group=0,  # Ctrl-C goes to the stages, and the tracker records their end
            )

    def close(self) -> None:
        """End the tracker after all stages have ended: remaining forks wait for a server, and their stages were interrupted."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()
        if self._folder:
            self._folder.cleanup()
