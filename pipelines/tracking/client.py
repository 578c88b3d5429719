"""A stage's client of `pipelines.tracking.tracker`: it avoids importing MLflow, which would take longer than the stage's work."""

import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final

from pipelines.stage import StageError

TRACKER: Final = "SEQLINE_TRACKER"  # environment variable with the socket of this pipeline run's tracker


class TrackerClient:
    """Forwards a run's logs to a tracker; it replaces `pipelines.tracking.delivery.Delivery` in a stage.

    Args:
        place: path of the tracker's socket.
    """

    def __init__(self, place: str) -> None:
        self._socket, self._lock = socket.socket(socket.AF_UNIX), Lock()
        try:
            self._socket.connect(place)
            socket.send_fds(self._socket, [b"."], [sys.__stderr__.fileno() if sys.__stderr__ else 2])
        except OSError as error:
            raise _gone() from error
        self._lines = self._socket.makefile("rw", encoding="utf-8")

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """See `Delivery`, also for errors."""
        self.ask("metrics", dict(values), step)

    def tag(self, name: str, value: str) -> None:
        """See `Delivery`."""
        self.ask("tag", name, value)

    def artifacts(self, path: Path) -> None:
        """See `Delivery`."""
        self.ask("artifacts", str(path))

    def call(self, function: str, *arguments: str) -> str:
        """See `Delivery`."""
        return str(self.ask("call", function, *arguments))

    def ask(self, operation: str, *arguments: object) -> Any:
        """Send an operation to the tracker and return its result.

        Raises:
            StageError: the tracker reports an error, or has ended.
            OSError: the tracker reports an error with a file, or a full disk.
        """
        with self._lock:
            self._send([operation, *arguments])
            return _result(self._lines.readline())

    def end(self, outcome: str, reason: str = "") -> None:
        """End the run, and wait until everything is delivered. Raises the same errors as `ask`."""
        self._send(["end", outcome, reason])
        *_, last = ["", *self._lines]  # the response to an interrupted call may come first
        self._socket.close()
        _result(last)

    def _send(self, message: list[object]) -> None:
        try:
            self._lines.write(json.dumps(message) + "\n")
            self._lines.flush()
        except OSError as error:
            raise _gone() from error


@contextmanager
def tracked_by(place: str, stage: str, task: str, retries: int) -> Iterator[tuple[TrackerClient, str]]:
    """Open a stage's run and yield it with its id. The run ends with the block, as in `pipelines.tracking.runs.track`."""
    client = TrackerClient(place)
    run_id = str(client.ask("begin", stage, task, retries))
    try:
        yield client, run_id
    except BaseException as error:
        with suppress(StageError, OSError):  # the tracker has already printed it
            client.end("failed" if isinstance(error, Exception) else "interrupted", str(error))
        raise
    client.end("finished")


def _result(line: str) -> Any:
    if not line:
        raise _gone()
    answer = json.loads(line)
    if answer.get("errno"):
        raise OSError(answer["errno"], os.strerror(answer["errno"]), answer["filename"])
    if "error" in answer:
        raise StageError(answer["error"])
    return answer["result"]


def _gone() -> StageError:
    return StageError("the process that tracks this run of the pipeline in MLflow has ended; run it again")
