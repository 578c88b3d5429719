"""The receiver of alerts: what asks for a training, and what does not."""

import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from typer.testing import CliRunner
from waiting import PATIENCE_S

from pipelines.retraining.watch import LARGEST, Watch, alerts
from pipelines.verbs import app


def alert(status: str = "firing", **labels: str) -> dict[str, Any]:
    return {"status": status, "labels": {"alertname": "TextsDrift", "action": "retrain", "model": "surname", **labels}}


def post(port: int, body: bytes, path: str = "/alerts", length: str = "") -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("POST", path, body, {"Content-Length": length or str(len(body))})
        return connection.getresponse().status
    finally:
        connection.close()


class Trainer:
    """Notes what it should train; the first training waits for `go`."""

    def __init__(self) -> None:
        self.trained: list[tuple[str, str]] = []
        self.began, self.go, self.done = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, task: str, reason: str) -> None:
        self.trained.append((task, reason))
        self.began.set()
        self.go.wait(PATIENCE_S)
        if len(self.trained) == 3:
            self.done.set()


@pytest.fixture
def trainer() -> Trainer:
    return Trainer()


@pytest.fixture
def port(trainer: Trainer) -> Iterator[int]:
    watch = Watch("127.0.0.1", 0, trainer, [], float("inf"))
    threading.Thread(target=watch.run, daemon=True).start()
    yield watch.port
    trainer.go.set()


def test_only_firing_alerts_that_ask_for_it_train() -> None:
    others = [alert("resolved"), alert(action="none"), {"status": "firing", "labels": {"action": "retrain"}}]
    assert [task for task, _ in alerts({"alerts": [*others, alert(), alert(model="fr-en")]})] == ["surname", "fr-en"]


def test_alerts_during_a_training_become_one_afterwards(port: int, trainer: Trainer) -> None:
    body = json.dumps({"alerts": [alert()]}).encode()
    assert post(port, body) == 200
    assert trainer.began.wait(PATIENCE_S)
    again = json.dumps({"alerts": [alert(), alert(model="fr-en")]}).encode()
    assert [post(port, again) for _ in range(5)] == [200] * 5
    trainer.go.set()
    assert trainer.done.wait(PATIENCE_S)
    assert [task for task, _ in trainer.trained] == ["surname", "surname", "fr-en"]


@pytest.mark.parametrize(
    ("body", "path", "length", "status"),
    [
        (b"no JSON", "/alerts", "", 400),
        (b"{}", "/alerts", "", 400),
        (b'{"alerts": [1]}', "/alerts", "", 400),
        (b"", "/alerts", "-1", 400),
        (json.dumps({"alerts": [alert()]}).encode(), "/other", "", 404),
        (b"", "/alerts", str(LARGEST + 1), 413),
    ],
)
def test_wrong_requests_are_refused_and_train_nothing(
    port: int, trainer: Trainer, body: bytes, path: str, length: str, status: int
) -> None:
    assert post(port, body, path, length) == status
    assert post(port, json.dumps({"alerts": [alert(model="fr-en")]}).encode()) == 200
    assert trainer.began.wait(PATIENCE_S)  # alerts are taken in their order, so an earlier one would have come first
    assert [task for task, _ in trainer.trained] == ["fr-en"]


def test_a_schedule_trains_each_of_its_tasks(trainer: Trainer) -> None:
    trainer.go.set()
    watch = Watch("127.0.0.1", 0, trainer, ["surname", "fr-en"], 0.2)
    threading.Thread(target=watch.run, daemon=True).start()
    assert trainer.done.wait(PATIENCE_S)
    assert trainer.trained[:2] == [("surname", "schedule"), ("fr-en", "schedule")]


@pytest.mark.parametrize("hours", ["0", "-1", "nan"])
def test_a_schedule_without_pauses_is_refused(hours: str) -> None:
    result = CliRunner().invoke(app, ["watch", "--every", hours])
    assert result.exit_code == 2
    assert "--every" in result.output
