"""Tracks stages in MLflow: `python -m pipelines.tracking.tracker SOCKET`, where SOCKET is the descriptor of a listening socket.

Importing MLflow and opening its database takes seconds of CPU time, for each of about thirty stages of a run. Here it happens
once: each connecting stage is served by a fork of this process, which does what the stage would do itself without a tracker (see
`pipelines.tracking.runs.track`). It prints messages on the stage's standard error.

A message is a line of JSON, [operation, argument, ...]; each gets a response line, {"result": ...} or {"error": ...}.
"""

import json
import os
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from socketserver import ForkingMixIn, StreamRequestHandler, UnixStreamServer
from typing import Any

# Imported before forking, also those not used here, so that forks need not import them.
import mlflow.pyfunc.model
import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

from pipelines.promotion import archive, offer  # noqa: F401
from pipelines.stage import StageError
from pipelines.stages import register  # noqa: F401
from pipelines.tracking import delivery  # noqa: F401
from pipelines.tracking.client import TRACKER
from pipelines.tracking.runs import StageRun, track, tracking_uri
from pipelines.tracking.server import in_one_line


class _FailedError(Exception):
    """The stage has failed, and reports the error itself."""


class Handler(StreamRequestHandler):
    """Serves one stage from start to end, in its own process."""

    def handle(self) -> None:
        """Track the stage's run. A stage that disconnects without a message was killed, and its run has failed."""
        _, (stderr,), *_ = socket.recv_fds(self.connection, 1, 1)
        os.dup2(stderr, 2)
        os.close(stderr)
        _, stage, task, retries = self._next()
        try:
            with track(stage, task, retries=retries) as run:
                self._answer(run.run_id)
                self._work(run)
        except (_FailedError, KeyboardInterrupt):
            self._answer(None)
        except Exception as error:
            self._fail(error)
        else:
            self._answer(None)

    def _next(self) -> list[Any]:
        message: list[Any] = json.loads(self.rfile.readline() or b'["end", "interrupted", ""]')
        return message

    def _work(self, run: StageRun) -> None:
        """Handle the stage's requests until it ends."""
        while True:
            match self._next():
                case ["end", "finished", _]:
                    return
                case ["end", "failed", reason]:
                    raise _FailedError(reason)
                case ["end", *_]:
                    raise KeyboardInterrupt
                case [operation, *arguments]:
                    self._try(run, operation, arguments)

    def _try(self, run: StageRun, operation: str, arguments: list[Any]) -> None:
        """Handle one request; an error is sent to the stage, which raises it and ends."""
        try:
            with in_one_line(tracking_uri()):
                self._answer(_do(run, operation, arguments))
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, StageError | OSError):
            traceback.print_exception(error)  # unexpected error
        about = {"errno": error.errno, "filename": error.filename} if isinstance(error, OSError) else {}
        self._send({"error": str(error) or type(error).__name__, **about})

    def _answer(self, result: str | None) -> None:
        self._send({"result": result})

    def _send(self, answer: object) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the stage was killed
            self.wfile.write(json.dumps(answer).encode() + b"\n")


def _do(run: StageRun, operation: str, arguments: list[Any]) -> str | None:
    match operation:
        case "metrics":
            run.metrics(*arguments)
        case "tag":
            run.tag(*arguments)
        case "artifacts":
            run.artifacts(Path(arguments[0]))
        case "call":
            return run.call(*arguments)
    return None


class Server(ForkingMixIn, UnixStreamServer):
    """Forks a process for each connecting stage.

    Args:
        listening: file descriptor of a listening socket.
    """

    def __init__(self, listening: int) -> None:
        super().__init__("", Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=listening)
        self._parent = os.getppid()

    def service_actions(self) -> None:
        """End when the pipeline run has ended, for whatever reason; called twice a second."""
        super().service_actions()
        if os.getppid() != self._parent:
            raise SystemExit


def main() -> None:
    """Serve until the parent process ends this one, or ends itself."""
    os.environ.pop(TRACKER, None)  # this process uses MLflow directly
    Server(int(sys.argv[1])).serve_forever()


if __name__ == "__main__":
    main()
