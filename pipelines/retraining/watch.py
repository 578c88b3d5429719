"""Listens to Alertmanager, and trains again when requests drift: `seqline watch`."""

import json
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

from rich.console import Console

from pipelines.promotion.journal import note
from pipelines.retraining.retrain import retrain
from pipelines.retraining.rows import COLUMNS
from pipelines.settings.params import load_params
from pipelines.stage import StageError
from serving.server.errors import ControlError
from serving.server.ports import Address

console = Console(highlight=False, soft_wrap=True, emoji=False)
LARGEST = 2**20  # bytes of a notification
PATH = "/alerts"
ACTION, RETRAIN = "action", "retrain"  # label of an alert that asks for a training, and its value


class Watch:
    """Trains one task at a time, on alerts and on a schedule.

    Args:
        host: address to listen on.
        port: 0 chooses a free one.
        train: trains a task, given its name and the reason.
        tasks: to train on the schedule.
        every_s: seconds between two trainings of the schedule; infinite without one.
    """

    def __init__(self, host: str, port: int, train: Callable[[str, str], None], tasks: list[str], every_s: float) -> None:
        self._train, self._tasks, self._every_s = train, tasks, every_s
        self._waiting: Queue[tuple[str, str]] = Queue()
        self._server = ThreadingHTTPServer((host, port), _receiver(self._waiting))
        Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_port)

    def run(self) -> None:
        """Work until interrupted. Alerts about a task that arrive while it is trained are one alert afterwards."""
        due = time.monotonic() + self._every_s
        try:
            while True:
                for task, reason in self._next(max(0.0, due - time.monotonic())):
                    self._train(task, reason)
                if time.monotonic() >= due:
                    due += self._every_s
                    for task in self._tasks:
                        self._train(task, "schedule")
        finally:
            self._server.shutdown()

    def _next(self, timeout_s: float) -> Iterator[tuple[str, str]]:
        """The tasks that wait, each once, with the reason that came first."""
        found: dict[str, str] = {}
        try:
            task, reason = self._waiting.get(timeout=min(timeout_s, 3600.0))
            found[task] = reason
            while True:
                task, reason = self._waiting.get_nowait()
                found.setdefault(task, reason)
        except Empty:
            yield from found.items()


def serve(listen: str, instance: Path, uri: str, every_hours: float, tasks: list[str]) -> None:
    """Wait for alerts and the time of the schedule until interrupted; an error is printed, and ends only its own training.

    Args:
        listen: ADDRESS:PORT.
        instance: the folder of the server that is watched.
        uri: of the tracking server.
        every_hours: interval of the schedule; infinite without one.
        tasks: to train on the schedule; empty for all that feedback can train.

    Raises:
        StageError: the address is invalid or taken.
    """

    def train(task: str, reason: str) -> None:
        console.print(f"{task}: {reason}", markup=False)
        try:
            found = retrain(task, instance, uri, reason)
            console.print(f"{task} {found.decision.version}: {found.decision.verdict}, {found.decision.reason}", markup=False)
        except Exception as error:  # the next alert must find a listener
            if not isinstance(error, StageError | ControlError):
                console.print_exception()
            note("not-retrained", task, reason=str(error))
            console.print(f"{task} was not trained: {error}", markup=False)

    params = load_params()
    scheduled = tasks or [name for name, block in params.tasks.items() if block.kind in COLUMNS]
    for name in tasks:
        params.task(name)
    try:
        address = Address.parse(listen)
    except ValueError:
        raise StageError(f"--listen takes ADDRESS:PORT, such as 127.0.0.1:9094, not {listen}") from None
    try:
        watch = Watch(address.host, address.port, train, scheduled, every_hours * 3600)
    except OSError as error:
        raise StageError(f"--listen {listen}: {error.strerror}") from error
    console.print(f"listening on http://{address.host}:{watch.port}{PATH}", markup=False)
    watch.run()


def alerts(body: Any) -> Iterator[tuple[str, str]]:
    """Task and reason of each firing alert of a notification that asks for a training.

    Args:
        body: of Alertmanager's webhook, version 4.
    """
    for alert in body["alerts"]:
        labels = alert["labels"]
        if alert["status"] == "firing" and labels.get(ACTION) == RETRAIN and "model" in labels:
            yield str(labels["model"]), str(alert.get("annotations", {}).get("summary") or labels.get("alertname"))


def _receiver(waiting: "Queue[tuple[str, str]]") -> type[BaseHTTPRequestHandler]:
    class Receiver(BaseHTTPRequestHandler):
        """Puts alerts into the queue."""

        timeout = 10  # seconds, for a client that stops in the middle of its message

        def do_POST(self) -> None:
            """Answer at once; Alertmanager waits for seconds only."""
            self.send_response(self._take())
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _take(self) -> HTTPStatus:
            length = self.headers.get("Content-Length", "0")
            if self.path != PATH:
                return HTTPStatus.NOT_FOUND
            if not length.isdecimal() or int(length) > LARGEST:
                return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if length.isdecimal() else HTTPStatus.BAD_REQUEST
            try:
                found = list(alerts(json.loads(self.rfile.read(int(length)))))
            except (ValueError, LookupError, TypeError, AttributeError):
                return HTTPStatus.BAD_REQUEST
            for one in found:
                waiting.put(one)
            return HTTPStatus.OK

        def log_message(self, *_: object) -> None:
            """Say nothing; what is trained is printed."""

    return Receiver
