"""Asynchronous delivery of a stage's logs to a server that may be unavailable for a while: in order, each entry once."""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice, takewhile
from pathlib import Path
from pkgutil import resolve_name
from typing import Final

import requests
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from rich.console import Console
from tenacity import RetryCallState, Retrying, retry_if_exception, sleep_using_event, stop_when_event_set, wait_random_exponential

from pipelines.stage import StageError, causes, first_cause
from pipelines.tracking.server import in_one_line, shown

BATCH: Final = 500  # metrics per request; MLflow accepts 1000
WAIT: Final = wait_random_exponential(multiplier=0.5, max=5.0)  # seconds; with jitter, so that stages do not retry in sync
PATIENCE_S: Final = 600.0  # time that a stage waits at its end for an unavailable server
INTERRUPTED_S: Final = 5.0  # the same for an interrupted stage
NOTICE_S: Final = 3.0  # time at a stage's end after which it prints what it waits for
TOO_MANY_REQUESTS: Final = 429
LOCKED: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

Entry = Metric | Callable[[], object]
console = Console(stderr=True, emoji=False, soft_wrap=True)


class Delivery:
    """Sends a run's logs in a background thread, and retries transient failures with exponential backoff.

    If only a response was lost, an entry is sent twice. This is idempotent: MLflow stores a metric with the same name, value,
    step and time once, and overwrites a param, a file or a status with itself.

    Args:
        client: MLflow's client.
        run_id: id of the run.
        uri: URI of the server, for messages.
    """

    def __init__(self, client: MlflowClient, run_id: str, uri: str) -> None:
        self._client, self._run_id, self._uri = client, run_id, uri
        self._waiting: deque[Entry] = deque()  # an entry is removed once it is delivered
        self._changed, self._given_up = threading.Condition(), threading.Event()
        self._closed, self._away, self._refused = False, False, False
        self._refusal: Exception | None = None
        self._thread = threading.Thread(target=self._deliver, name="delivery", daemon=True)
        self._thread.start()

    def params(self, values: Iterable[tuple[str, object]]) -> None:
        """Send params; see `metrics` for errors."""
        params = [Param(name, str(value)) for name, value in values]
        self._put(partial(self._client.log_batch, self._run_id, params=params))

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Send numbers, with the time of the call.

        Raises:
            StageError: the server has rejected an earlier entry.
            OSError: a file of an earlier entry could not be read, or the disk is full.
        """
        now = _now_ms()
        self._put(*(Metric(name, value, now, step) for name, value in values.items()))

    def tag(self, name: str, value: str) -> None:
        """Send a tag; see `metrics` for errors."""
        self._put(partial(self._client.set_tag, self._run_id, name, value))

    def artifacts(self, path: Path) -> None:
        """Send a file or a folder, which must not change until `close`; see `metrics` for errors."""
        upload = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        self._put(partial(upload, self._run_id, str(path)))

    def call(self, function: str, *arguments: str) -> str:
        """Call a function that uses MLflow directly; see `StageRun.call`."""
        return str(resolve_name(function)(self._run_id, *arguments))

    def close(self, status: str, patience_s: float = PATIENCE_S) -> None:
        """Send the run's status, and wait until everything is delivered.

        Args:
            status: MLflow's run status; if an entry was rejected, FAILED is sent instead.
            patience_s: seconds to wait for an unavailable server.

        Raises:
            StageError: the server is still unavailable, or has rejected an entry.
            OSError: see `metrics`.
        """
        with self._changed:  # both at once: the thread ends when the queue is empty and closed
            self._waiting.append(partial(self._terminate, status, _now_ms()))
            self._closed = True
            self._changed.notify()
        self._thread.join(min(NOTICE_S, patience_s))
        if self._thread.is_alive() and patience_s > NOTICE_S:
            notice(f"waiting for {shown(self._uri)} to accept {self._left()}")
            self._thread.join(patience_s - NOTICE_S)
        self._given_up.set()
        if self._waiting:
            raise StageError(f"{shown(self._uri)} has not accepted {self._left()}: check the server and run the stage again")
        self._raise_refusal()

    def close_after(self, error: BaseException) -> None:
        """Send the status FAILED and wait as in `close`; further errors are printed in addition to the error itself."""
        try:
            self.close("FAILED", PATIENCE_S if isinstance(error, Exception) else INTERRUPTED_S)
        except (StageError, OSError) as undelivered:
            if str(undelivered) != str(error):
                notice(str(undelivered))

    def _terminate(self, status: str, ended_ms: int) -> None:
        self._client.set_terminated(self._run_id, "FAILED" if self._refused else status, ended_ms)

    def _left(self) -> str:
        with self._changed:
            entries = list(self._waiting)
        metrics = sum(isinstance(entry, Metric) for entry in entries)
        return f"{metrics} metrics and {len(entries) - metrics} other messages of this stage"

    def _put(self, *entries: Entry) -> None:
        self._raise_refusal()
        with self._changed:
            self._waiting.extend(entries)
            self._changed.notify()

    def _raise_refusal(self) -> None:
        """Raise a rejection once."""
        refusal, self._refusal = self._refusal, None
        if refusal:
            with in_one_line(self._uri):
                raise refusal

    def _deliver(self) -> None:
        """Run the thread until the stage has ended and the queue is empty, or until delivery is given up."""
        attempts = Retrying(
            retry=retry_if_exception(may_pass),
            wait=WAIT,
            stop=stop_when_event_set(self._given_up),
            sleep=sleep_using_event(self._given_up),
            before_sleep=self._tell_away,
            reraise=True,
        )
        while batch := self._next():
            try:
                attempts(self._send, batch)
                self._tell_back()
            except Exception as error:  # any error is raised at the stage's next call
                if self._given_up.is_set():
                    return
                self._refused, self._refusal = True, self._refusal or error
            with self._changed:
                for _ in batch:
                    self._waiting.popleft()

    def _next(self) -> list[Entry]:
        """Wait for the next batch: consecutive metrics or a single call; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            metrics = takewhile(lambda entry: isinstance(entry, Metric), islice(self._waiting, BATCH))
            return list(metrics) or list(islice(self._waiting, 1))

    def _send(self, batch: list[Entry]) -> None:
        metrics = [entry for entry in batch if isinstance(entry, Metric)]
        if metrics:
            self._client.log_batch(self._run_id, metrics=metrics)
        for call in (entry for entry in batch if not isinstance(entry, Metric)):
            call()

    def _tell_away(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error and not self._away:
            reason = first_cause(error)
            notice(f"{shown(self._uri)} does not accept this stage's logs ({reason}); the stage continues and sends them later")
        self._away = True

    def _tell_back(self) -> None:
        if self._away:
            notice(f"{shown(self._uri)} accepts this stage's logs again")
        self._away = False


def notice(text: str) -> None:
    """Print one line about the server."""
    console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def may_pass(error: BaseException) -> bool:
    """Whether an error is transient: the server is unavailable or at fault, or another stage is writing to the SQLite file."""
    for cause in causes(error):
        if isinstance(cause, sqlite3.Error):
            return getattr(cause, "sqlite_errorcode", None) in LOCKED
    if isinstance(error, requests.RequestException):
        return error.response is None or _passing_status(error.response.status_code)
    return isinstance(error, MlflowException) and _passing_status(error.get_http_status_code())  # type: ignore[no-untyped-call]


def _passing_status(status: int) -> bool:
    return status >= 500 or status == TOO_MANY_REQUESTS


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
