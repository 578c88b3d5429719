"""Tracks stages in MLflow for them: `python -m pipelines.tracker SOCKET`, SOCKET being the number of an open file that listens.

Importing MLflow and opening its database takes seconds of a core, for each of some thirty stages of a run. Here it happens once:
each stage that connects is served by a fork of this process, which does for it what the stage would do itself without a tracker
(see `pipelines.tracking.track`). What it has to say, it says on the stage's standard error.

A message is a line of JSON, [operation, argument, ...]; so is the answer to each, {"result": ...} or {"error": ...}.
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

# Not all of these are used here: a fork finds them imported.
import mlflow.onnx
import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
import onnxruntime  # noqa: F401

from pipelines import delivery, register  # noqa: F401
from pipelines.stage import StageError
from pipelines.tracker_client import TRACKER
from pipelines.tracking import StageRun, track, tracking_uri
from pipelines.tracking_server import in_one_line


class _FailedError(Exception):
    """The stage has failed, and tells why itself."""


class Handler(StreamRequestHandler):
    """Serves one stage, from its beginning to its end, in a process of its own."""

    def handle(self) -> None:
        """Track its run. A stage that ends without a word was killed, and its run has failed."""
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
        """Do what the stage asks for until it ends."""
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
        """An error is the stage's to raise, which then ends."""
        try:
            with in_one_line(tracking_uri()):
                self._answer(_do(run, operation, arguments))
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, StageError | OSError):
            traceback.print_exception(error)  # no trouble that is known
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
    """Forks a process for each stage that connects.

    Args:
        listening: the number of a socket's open file.
    """

    def __init__(self, listening: int) -> None:
        super().__init__("", Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=listening)
        self._parent = os.getppid()

    def service_actions(self) -> None:
        """Twice a second: end once the run of the pipeline has, whatever ended it."""
        super().service_actions()
        if os.getppid() != self._parent:
            raise SystemExit


def main() -> None:
    """Serve until the process that started this one ends it, or ends."""
    os.environ.pop(TRACKER, None)  # what is tracked here is tracked by MLflow itself
    Server(int(sys.argv[1])).serve_forever()


if __name__ == "__main__":
    main()
