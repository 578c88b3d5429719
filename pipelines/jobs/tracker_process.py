"""The process that tracks the stages of one run of the pipeline in MLflow, see `pipelines.tracker`."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from tempfile import TemporaryDirectory

from pipelines.tracker_client import TRACKER


class TrackerProcess:
    """Begins with the first stage that runs, so that it is ready once one has something to track."""

    def __init__(self) -> None:
        self._folder: TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        """What tells a stage of it; nothing where MLflow is not installed."""
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
        """Stages may connect at once: they wait for it to be ready."""
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(place)
            listening.listen()
            number = listening.fileno()
            self._process = subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
                [sys.executable, "-m", "pipelines.tracker", str(number)],
                stdin=subprocess.DEVNULL,
                pass_fds=[number],
                process_group=0,  # Ctrl-C is for the stages, whose end is tracked
            )

    def close(self) -> None:
        """End it, once all stages have ended: a fork that is still there waits for a server, and its stage was interrupted."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()
        if self._folder:
            self._folder.cleanup()
