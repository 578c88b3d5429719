"""The real images as the compose file runs them: train, serve, track, watch, and lose nothing when a part is killed.

The tests build on one another, in this order.
"""

import json
import math
import os
import signal
import subprocess
import time
import zipfile
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from stack import Stack, wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1500)]

MODELS = {"surname", "names", "fr-en", "sentiment", "vectors"}
TRAINED = {"surname", "names", "fr-en", "sentiment"}
AWAY_S = 20  # that MLflow is away in the middle of training


def tracking(stack: Stack) -> MlflowClient:
    uri = f"http://127.0.0.1:{stack.ports['mlflow']}"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def runs(stack: Stack) -> dict[str, Any]:
    client = tracking(stack)
    found = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    return {run.info.run_name: run for run in found}


def test_training_goes_on_while_mlflow_is_away_and_its_metrics_arrive_when_it_is_back(stack: Stack) -> None:
    stack.up("postgres", "storage", "mlflow")
    training = stack.train(PROFILE="smoke")
    log = stack.clone / "train.log"
    wait_until(lambda: "fr-en: epoch 1 " in log.read_text() or training.poll() is not None, 900)
    assert training.poll() is None, log.read_text()[-4000:]
    stack.kill("mlflow")
    time.sleep(AWAY_S)
    assert training.poll() is None, log.read_text()[-4000:]
    stack.compose("start", "mlflow")
    assert training.wait(900) == 0, log.read_text()[-4000:]
    found = runs(stack)
    stack.keep_all([f"{stage}@{task}" for stage in ("train", "export", "evaluate", "register") for task in TRAINED], found)
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    for task in TRAINED:
        written = json.loads((stack.clone / f"metrics/train/{task}.json").read_text())
        history = tracking(stack).get_metric_history(found[f"train@{task}"].info.run_id, "valid_loss")
        stack.keep_all(range(1, written["epochs"] + 1), [metric.step for metric in history])
        assert len(history) == written["epochs"]
        assert math.isclose(min(metric.value for metric in history), written["valid_loss"], abs_tol=1e-5)
    stack.keep_all([f"seqline-{name}" for name in MODELS], [model.name for model in tracking(stack).search_registered_models()])


def test_artifacts_lie_in_the_object_storage(stack: Stack) -> None:
    listed = stack.compose("exec", "--no-TTY", "storage", "find", "/data/mlflow", "-type", "f")
    assert "model.onnx" in listed


def test_everything_gets_healthy_and_every_model_answers_what_its_archive_says(stack: Stack) -> None:
    stack.up()
    for model in MODELS:
        with zipfile.ZipFile(stack.clone / f"build/model-store/{model}.mar") as archive:
            examples = json.loads(archive.read("examples.json"))
        for example in examples:
            response = stack.ask(model, example["request"])
            assert response.status_code == 200, response.text
            assert rounded(response.json()) == rounded(example["answer"]), model


def rounded(body: Any) -> Any:
    """Scores to four decimals: float32 sums depend on the shape of the batch in their last bits."""
    return json.loads(json.dumps(body), parse_float=lambda number: round(float(number), 4))


def test_a_container_is_what_it_promises(stack: Stack) -> None:
    for service in ("serve", "mlflow"):
        said = stack.inspect(service)
        assert said["HostConfig"]["ReadonlyRootfs"] is True
        assert said["Config"]["User"] == "1000:1000"
        assert said["HostConfig"]["Memory"] > 0
        labels = said["Config"]["Labels"]
        command = ["git", "-c", "safe.directory=*", "rev-parse", "HEAD"]  # the clone is not ours any more
        head = subprocess.run(command, cwd=stack.clone, capture_output=True, text=True, check=True).stdout
        assert labels["org.opencontainers.image.revision"].rstrip("+") == head.strip()
    with pytest.raises(AssertionError):
        stack.compose("exec", "--no-TTY", "serve", "python", "-c", "import pipelines")
    with pytest.raises(AssertionError, match="Read-only file system"):
        stack.compose("exec", "--no-TTY", "serve", "touch", "/app/new")


def test_the_image_that_serves_is_small(stack: Stack) -> None:
    image = stack.inspect("serve")["Image"]
    done = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Size}}", image], capture_output=True, text=True, check=True
    )
    stack.figures["serve_image_mb"] = int(done.stdout) / 1e6
    assert stack.figures["serve_image_mb"] <= 2000


def test_prometheus_has_the_models_counts_and_the_dashboard_asks_what_it_knows(stack: Stack) -> None:
    for model in MODELS:
        stack.ask(model, {"inputs": 3})
    wait_until(lambda: {row["metric"]["model"] for row in stack.prometheus("seqline_requests_total{status='400'}")} == MODELS)
    (alive,) = stack.prometheus("up")
    assert alive["value"][1] == "1"
    board = json.loads((stack.clone / "docker/grafana/dashboards/seqline.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(asked) > 10
    for expression in asked:
        stack.prometheus(expression.replace("$model", ".*").replace("$__rate_interval", "1m"))  # its syntax at least
    assert {row["metric"]["model"] for row in stack.prometheus("sum by (model) (seqline_stage_seconds_count)")} == MODELS
    rules = json.loads(
        stack.compose("exec", "--no-TTY", "prometheus", "wget", "-q", "-O", "-", "http://127.0.0.1:9090/api/v1/rules")
    )
    (group,) = rules["data"]["groups"]
    assert {rule["health"] for rule in group["rules"]} <= {"ok", "unknown"}
    assert {rule["name"] for rule in group["rules"]} >= {"ServerDown", "RequestsFail", "TextsDrift"}


def test_a_server_that_crashes_comes_back_by_itself(stack: Stack) -> None:
    process = stack.inspect("serve")["State"]["Pid"]
    assert process > 0, "it does not run"  # a signal to process 0 is one to this test's own group
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pytest.skip("the engine runs on another machine")
    wait_until(lambda: stack.inspect("serve")["RestartCount"] == 1)
    wait_until(lambda: stack.inspect("serve")["State"]["Health"]["Status"] == "healthy")
    assert stack.ask("surname", {"inputs": "Rossi"}).status_code == 200


def test_no_run_is_lost_with_the_database(stack: Stack) -> None:
    before = {name: run.info.run_id for name, run in runs(stack).items()}
    stack.kill("postgres")
    url = f"http://127.0.0.1:{stack.ports['mlflow']}/api/2.0/mlflow/experiments/search?max_results=1"
    assert requests.get(url, timeout=60).status_code >= 500
    stack.compose("start", "postgres")
    wait_until(lambda: stack.inspect("postgres")["State"]["Health"]["Status"] == "healthy")
    stack.keep_all(before.items(), [(name, run.info.run_id) for name, run in runs(stack).items()])


def test_a_training_is_shared_by_containers(stack: Stack) -> None:
    stack.up("mlflow", "ray-head", "ray-worker", profile="workers")
    weights = stack.clone / "build/weights/surname/model.safetensors"
    weights.unlink()
    cluster = ["--env", "RAY_ADDRESS=ray://ray-head:10001"]
    command = ["python", "-m", "pipelines.train", "surname"]
    try:
        said = stack.compose("run", "--rm", "--no-TTY", *cluster, "train", *command, profile="train")
    except AssertionError:
        logs = "tail -n 40 /tmp/ray/session_latest/logs/ray_client_server*"
        print(stack.compose("exec", "--no-TTY", "ray-head", "sh", "-c", logs, profile="workers"))  # noqa: T201 - pytest shows it
        raise
    assert "surname: epoch 2 " in said
    assert weights.is_file()
    stack.compose("rm", "--stop", "--force", "ray-head", "ray-worker", profile="workers")


def test_the_whole_stack_comes_back_with_what_it_had(stack: Stack) -> None:
    before = {name: run.info.run_id for name, run in runs(stack).items()}
    stack.compose("down", "--timeout", "45")
    stack.figures["compose_ready_s"] = stack.up()
    stack.keep_all(before.items(), [(name, run.info.run_id) for name, run in runs(stack).items()])
    assert stack.ask("fr-en", {"inputs": "Ce paquet contient les fichiers."}).status_code == 200
