"""Logs of a stage reach a server that fails now and then: completely, once, in order and without blocking the stage."""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException, RestException
from tenacity import wait_none
from waiting import until

from pipelines.stage import StageError
from pipelines.tracking import delivery
from pipelines.tracking.delivery import Delivery, may_pass

AWAY = MlflowException("connection refused")
answered: Callable[[dict[str, str]], MlflowException] = RestException  # untyped
REFUSED = answered({"error_code": "INVALID_PARAMETER_VALUE", "message": "no such name"})


class Log:
    """A client that records what it receives, with injected faults.

    Args:
        faults: one per request, in order: an error to raise instead, or None.
    """

    def __init__(self, *faults: Exception | None) -> None:
        self.faults, self.kept, self.status = list(faults), list[Any](), ""
        self.open = threading.Event()
        self.open.set()

    def _request(self) -> None:
        self.open.wait()
        fault = self.faults.pop(0) if self.faults else None
        if fault:
            raise fault

    def log_batch(self, _run_id: str, metrics: Sequence[Metric] = (), params: Sequence[Any] = ()) -> None:
        self._request()
        self.kept += [(metric.key, metric.value, metric.step) for metric in metrics]
        self.kept += [(param.key, param.value) for param in params]

    def log_artifact(self, _run_id: str, path: str) -> None:
        self._request()
        self.kept.append(path)

    def set_terminated(self, _run_id: str, status: str, _ended: int) -> None:
        self._request()
        self.status = status


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "WAIT", wait_none())


def deliver(log: Log) -> Delivery:
    return Delivery(log, "run", "http://somewhere")  # type: ignore[arg-type]


@pytest.mark.parametrize("failures", [[], [1], [0, 1, 2, 3, 4, 5], range(0, 40, 2), range(30)])
def test_everything_is_delivered_once_and_in_order_despite_failures(failures: Sequence[int]) -> None:
    log = Log(*(AWAY if i in failures else None for i in range(60)))
    run = deliver(log)
    run.params([("size", 3), ("name", "a")])
    for step in range(50):
        run.metrics({"loss": 1 / (step + 1), "rate": 0.5}, step)
        if step % 20 == 0:
            run.artifacts(Path(f"{step}.csv"))
    run.close("FINISHED")
    expected: list[object] = [("size", "3"), ("name", "a")]
    for step in range(50):
        expected += [("loss", 1 / (step + 1), step), ("rate", 0.5, step)]
        expected += [f"{step}.csv"] if step % 20 == 0 else []
    assert log.kept == expected
    assert log.status == "FINISHED"


def test_logging_does_not_block() -> None:
    log = Log()
    log.open.clear()
    run = deliver(log)
    for step in range(1000):
        run.metrics({"loss": 1.0}, step)
    assert not log.kept  # and yet all calls have returned
    log.open.set()
    run.close("FINISHED")
    assert [step for _, _, step in log.kept] == list(range(1000))


def test_a_rejection_is_raised_once_and_the_rest_is_delivered() -> None:
    log = Log(REFUSED)
    run = deliver(log)
    run.metrics({"bad name": 1.0}, 0)
    with pytest.raises(StageError, match=r"http://somewhere failed to handle a request of this stage: .*no such name"):
        log_until_it_raises(run)
    run.artifacts(Path("last.csv"))
    run.close("FINISHED")
    assert log.kept[-1] == "last.csv"
    assert log.status == "FAILED"


def log_until_it_raises(run: Delivery) -> None:
    for _ in range(10_000):
        run.artifacts(Path("a.csv"))
        time.sleep(0.001)


def test_undelivered_entries_are_reported_if_the_server_stays_unavailable() -> None:
    run = deliver(Log(*[AWAY] * 1_000_000))
    run.metrics({"loss": 1.0, "rate": 2.0, "seconds": 3.0}, 1)
    with pytest.raises(StageError, match="http://somewhere has not accepted 3 metrics and 1 other messages") as told:
        run.close("FINISHED", patience_s=0.3)
    assert "\n" not in str(told.value)


def test_a_failing_stage_also_prints_a_rejection(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(REFUSED)
    run = deliver(log)
    run.metrics({"bad name": 1.0}, 0)
    run.close_after(RuntimeError("the stage's own"))
    assert log.status == "FAILED"
    assert "no such name" in capsys.readouterr().err


def test_a_lost_response_duplicates_nothing(tmp_path: Path) -> None:
    client = MlflowClient(f"sqlite:///{tmp_path / 'runs.db'}")
    run_id = client.create_run("0").info.run_id
    store, sent = client.log_batch, list[int]()

    def lose_answers(*arguments: Any, **named: Any) -> None:
        store(*arguments, **named)
        sent.append(1)
        if len(sent) % 3:
            raise AWAY

    client.log_batch = lose_answers  # type: ignore[method-assign]
    run = Delivery(client, run_id, "here")
    run.params([("size", 3)])
    before = time.time_ns() // 1_000_000
    for step in range(6):
        run.metrics({"loss": float(step), "same": 1.0}, step)
        if step == 2:  # the first three together or not, the last three in another batch
            until(lambda: len(sent) >= 6, "the first batch of metrics")
    after = time.time_ns() // 1_000_000
    run.close("FINISHED")
    for name in ("loss", "same"):
        history = client.get_metric_history(run_id, name)
        assert [metric.step for metric in history] == list(range(6))
        assert all(before <= metric.timestamp <= after for metric in history)
    assert len(sent) > 6
    assert client.get_run(run_id).data.params == {"size": "3"}


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (AWAY, True),
        (answered({"error_code": "TEMPORARILY_UNAVAILABLE", "message": ""}), True),
        (requests.ConnectionError(), True),
        (REFUSED, False),
        (FileNotFoundError("curve.csv"), False),
        (TypeError(), False),
    ],
)
def test_only_transient_errors_are_retried(error: Exception, passes: bool) -> None:
    assert may_pass(error) is passes


@pytest.mark.parametrize("busy", [True, False], ids=["busy", "missing"])
def test_only_a_lock_of_a_sqlite_file_is_transient(tmp_path: Path, busy: bool) -> None:
    path = tmp_path / ("a.db" if busy else "missing/a.db")
    with pytest.raises(MlflowException) as raised:  # noqa: PT012 - wrapped as by MLflow
        try:
            first, second = sqlite3.connect(path, timeout=0), sqlite3.connect(path, timeout=0)
            first.execute("BEGIN EXCLUSIVE")
            second.execute("CREATE TABLE t (a)")
        except sqlite3.Error as error:
            raise MlflowException("a database error") from error
    assert may_pass(raised.value) is busy
