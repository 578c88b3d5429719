"""A tracking server that is missing, incompatible, or dies while a stage runs."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest
from misbehaving_server import serving
from mlflow import MlflowClient
from mlflow.entities import Run
from real_servers import ACCESS, STRANGER, TrackingServer, object_storage

from pipelines.stage import StageError
from pipelines.tracking import server as tracking_server
from pipelines.tracking.runs import EXPERIMENT, track

PARAMETERS = 12  # minimum number of params of a task


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client has no access to the object storage, and no settings of MLflow leak out of a test."""
    for name in ACCESS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")


def refusal(monkeypatch: pytest.MonkeyPatch, uri: str) -> str:
    """A stage's error about a server, before any work."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    start = time.monotonic()
    with pytest.raises(StageError) as raised, track("train", "surname"):
        pytest.fail("the work began")
    assert time.monotonic() - start < 60  # a training would wait for minutes
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and does not listen
        told = refusal(monkeypatch, f"http://me:a-secret@127.0.0.1:{held.getsockname()[1]}")
    assert told.startswith("no MLflow server answers at http://127.0.0.1:")
    assert told.endswith("start it or unset MLFLOW_TRACKING_URI")


def test_a_server_that_does_not_respond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking_server, "ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "no MLflow server answers" in refusal(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_another_major_version(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        server.files["/version"] = b"2.9.0"
        told = refusal(monkeypatch, server.url)
    assert "has version 2.9.0, and the local MLflow has 3." in told


def test_a_server_that_is_not_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        assert "is not an MLflow server" in refusal(monkeypatch, server.url)
        server.files["/version"] = b"<html>Welcome</html>"
        assert "is not an MLflow server" in refusal(monkeypatch, server.url)
        server.faults = [401]
        assert "MLFLOW_TRACKING_USERNAME" in refusal(monkeypatch, server.url)
        server.faults = [502]
        assert "no MLflow server answers" in refusal(monkeypatch, server.url)


@pytest.mark.parametrize("uri", ["htp://127.0.0.1:5000", "http://[::1"])
def test_an_unsupported_address(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    assert f"MLFLOW_TRACKING_URI is {uri}, which MLflow does not support" in refusal(monkeypatch, uri)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of object storage, and the folder of its bucket for artifacts."""
    folder = tmp_path_factory.mktemp("storage") / "objects"
    with object_storage(folder, "mlflow") as url:
        yield url, folder / "mlflow"


@pytest.fixture(scope="module")
def server(bucket: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    """A running server that stores artifacts in the bucket."""
    server = TrackingServer(tmp_path_factory.mktemp("mlflow"), "s3://mlflow", {"MLFLOW_S3_ENDPOINT_URL": bucket[0]})
    try:
        server.start(ACCESS)
        yield server
    finally:
        server.kill()


def newest(server: TrackingServer) -> tuple[MlflowClient, Run]:
    """A client, and the latest run of a stage."""
    client = MlflowClient(server.url)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "tags.stage != ''", max_results=1)
    return client, run


@pytest.mark.live
@pytest.mark.timeout(300)
def test_a_server_killed_during_training_gets_everything_after_a_restart(
    server: TrackingServer, bucket: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curve, before, after = tmp_path / "curve.csv", range(1, 101), range(101, 301)
    curve.write_text("epoch,loss\n")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    with track("train", "surname") as run:
        first = time.time_ns() // 1_000_000
        for epoch in before:
            run.metrics({"loss": 1 / epoch, "rate": 0.5}, step=epoch)
        server.kill()  # at any point of their delivery
        start = time.monotonic()
        for epoch in after:
            run.metrics({"loss": 1 / epoch, "rate": 0.5}, step=epoch)
        run.artifacts(curve)
        assert time.monotonic() - start < 10, "the training has waited"
        last = time.time_ns() // 1_000_000
        time.sleep(2)
        server.start(ACCESS)

    client, stored = newest(server)
    assert stored.info.run_id == run.run_id
    assert stored.info.status == "FINISHED"
    logged = {epoch: 1 / epoch for epoch in [*before, *after]}
    for name, values in (("loss", logged), ("rate", dict.fromkeys(logged, 0.5))):
        history = client.get_metric_history(run.run_id, name)
        assert [(metric.step, metric.value) for metric in history] == list(values.items())
        assert all(first <= metric.timestamp <= last for metric in history)
    assert len(stored.data.params) >= PARAMETERS
    (path,) = bucket[1].rglob("curve.csv")  # through the server: the client has no access to the bucket
    assert path.read_text() == curve.read_text()


@pytest.mark.live
@pytest.mark.timeout(300)
def test_a_stage_that_starts_while_the_server_is_down_waits_for_it(
    server: TrackingServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    with track("prepare", "surname") as first:
        pass
    server.kill()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # another server, never reached before, still fails immediately
        assert "no MLflow server answers" in refusal(monkeypatch, f"http://127.0.0.1:{held.getsockname()[1]}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    back = Timer(10, server.start, [ACCESS])  # the stage must have asked by then
    back.start()
    try:
        with track("train", "surname") as run:
            run.metrics({"loss": 1.0})
    finally:
        back.join()
    assert capsys.readouterr().err.count("this stage waits for it to come back") == 1
    client, stored = newest(server)
    assert (stored.info.run_id, stored.info.status, stored.data.metrics) == (run.run_id, "FINISHED", {"loss": 1.0})
    parents = {client.get_run(run_id).data.tags["mlflow.parentRunId"] for run_id in (first.run_id, run.run_id)}
    assert len(parents) == 1


@pytest.mark.live
@pytest.mark.timeout(300)
def test_a_rejection_by_the_server_fails_the_stage(server: TrackingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    with (
        pytest.raises(StageError, match=rf"{server.url} failed to handle a request of this stage: "),
        track("train", "surname") as run,
    ):
        run.metrics({"a name with $": 1.0})
    assert newest(server)[1].info.status == "FAILED"


@pytest.mark.live
@pytest.mark.timeout(300)
def test_a_server_with_wrong_credentials_for_its_bucket(
    bucket: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = TrackingServer(tmp_path, "s3://mlflow", {"MLFLOW_S3_ENDPOINT_URL": bucket[0]})
    try:
        server.start(STRANGER)
        assert f"MLflow at {server.url} has no access to its artifacts" in refusal(monkeypatch, server.url)
    finally:
        server.kill()
