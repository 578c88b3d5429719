"""The real images under the compose file: all services work together, and no data is lost when one is killed.

The tests depend on each other and run in this order.
"""

import json
import math
import os
import re
import signal
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from stack import Stack, wait_until

from pipelines.settings.params import load_params

pytestmark = [pytest.mark.containers, pytest.mark.timeout(2700)]

TRAINED = set(load_params(Path(__file__).parents[2] / "params.yaml").tasks)
MODELS = {*TRAINED, "vectors", "tickers"}
AWAY_S = 20  # duration of the MLflow outage during training


def tracking(stack: Stack) -> MlflowClient:
    uri = f"http://127.0.0.1:{stack.ports['mlflow']}"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def runs(stack: Stack) -> dict[str, Any]:
    client = tracking(stack)
    found = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    return {run.info.run_name: run for run in found}


def test_training_survives_an_mlflow_outage_without_losing_metrics(stack: Stack) -> None:
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


def test_artifacts_are_in_the_object_storage(stack: Stack) -> None:
    listed = stack.compose("exec", "--no-TTY", "storage", "find", "/data/mlflow", "-type", "f")
    assert "model.onnx" in listed


def test_everything_becomes_healthy_and_every_model_gives_its_archives_example_answers(stack: Stack) -> None:
    stack.up()
    for model in MODELS:
        with zipfile.ZipFile(stack.clone / f"build/model-store/{model}.mar") as archive:
            examples = json.loads(archive.read("examples.json"))
        for example in examples:
            response = stack.ask(model, example["request"])
            assert response.status_code == 200, response.text
            assert rounded(response.json()) == rounded(example["answer"]), model


def test_the_image_has_the_pages(stack: Stack) -> None:
    page = stack.request("GET", "/")
    files = re.findall(r'(?:src|href)="(/web/[^"]+)"', page.text)
    assert "/web/app.js" in files
    assert all(stack.request("GET", file).status_code == 200 for file in files)
    document = stack.request("GET", "/openapi.json").json()
    assert {path for path in document["paths"] if path.startswith("/predictions/")} == {
        f"/predictions/{model}" for model in MODELS
    }
    assert document["info"]["x-mlflow"] == f"http://localhost:{stack.ports['mlflow']}"
    assert "seqline_request_seconds_bucket" in stack.request("GET", "/metrics").text


def rounded(body: Any) -> Any:
    """Round scores to four decimals: the last bits of float32 sums depend on the batch shape."""
    return json.loads(json.dumps(body), parse_float=lambda number: round(float(number), 4))


def test_containers_are_read_only_rootless_limited_and_labelled(stack: Stack) -> None:
    for service in ("serve", "mlflow"):
        said = stack.inspect(service)
        assert said["HostConfig"]["ReadonlyRootfs"] is True
        assert said["Config"]["User"] == "1000:1000"
        assert said["HostConfig"]["Memory"] > 0
        labels = said["Config"]["Labels"]
        command = ["git", "-c", "safe.directory=*", "rev-parse", "HEAD"]  # the clone now belongs to another user
        head = subprocess.run(command, cwd=stack.clone, capture_output=True, text=True, check=True).stdout
        assert labels["org.opencontainers.image.revision"].rstrip("+") == head.strip()
    with pytest.raises(AssertionError):
        stack.compose("exec", "--no-TTY", "serve", "python", "-c", "import pipelines")
    with pytest.raises(AssertionError, match="Read-only file system"):
        stack.compose("exec", "--no-TTY", "serve", "touch", "/app/new")


def test_the_serving_image_is_small(stack: Stack) -> None:
    image = stack.inspect("serve")["Image"]
    done = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Size}}", image], capture_output=True, text=True, check=True
    )
    stack.figures["serve_image_mb"] = int(done.stdout) / 1e6
    assert stack.figures["serve_image_mb"] <= 2000


def test_prometheus_has_metrics_of_all_models_and_the_dashboards_queries_are_valid(stack: Stack) -> None:
    for model in MODELS:
        stack.ask(model, {"inputs": 3})
    wait_until(lambda: {row["metric"]["model"] for row in stack.prometheus("seqline_requests_total{status='400'}")} == MODELS)
    (alive,) = stack.prometheus("up")
    assert alive["value"][1] == "1"
    board = json.loads((stack.clone / "docker/grafana/dashboards/seqline.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(asked) > 10
    for expression in asked:
        stack.prometheus(expression.replace("$model", ".*").replace("$__rate_interval", "1m"))  # checks at least the syntax
    assert {row["metric"]["model"] for row in stack.prometheus("sum by (model) (seqline_stage_seconds_count)")} == MODELS
    rules = json.loads(
        stack.compose("exec", "--no-TTY", "prometheus", "wget", "-q", "-O", "-", "http://127.0.0.1:9090/api/v1/rules")
    )
    (group,) = rules["data"]["groups"]
    assert {rule["health"] for rule in group["rules"]} <= {"ok", "unknown"}
    assert {rule["name"] for rule in group["rules"]} >= {"ServerDown", "RequestsFail", "TextsDrift", "TextsShift"}
    managers = json.loads(
        stack.compose("exec", "--no-TTY", "prometheus", "wget", "-q", "-O", "-", "http://127.0.0.1:9090/api/v1/alertmanagers")
    )
    (manager,) = managers["data"]["activeAlertmanagers"]
    assert manager["url"].startswith("http://alertmanager:9093/")


def test_a_crashed_server_is_restarted(stack: Stack) -> None:
    process = stack.inspect("serve")["State"]["Pid"]
    assert process > 0, "the server is not running"  # signalling process 0 would kill this test's process group
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pytest.skip("the engine runs on another machine")
    wait_until(lambda: stack.inspect("serve")["RestartCount"] == 1)
    wait_until(lambda: stack.inspect("serve")["State"]["Health"]["Status"] == "healthy")
    assert stack.ask("surname", {"inputs": "Rossi"}).status_code == 200


def test_no_run_is_lost_when_the_database_is_killed(stack: Stack) -> None:
    before = {name: run.info.run_id for name, run in runs(stack).items()}
    stack.kill("postgres")
    url = f"http://127.0.0.1:{stack.ports['mlflow']}/api/2.0/mlflow/experiments/search?max_results=1"
    assert requests.get(url, timeout=60).status_code >= 500
    stack.compose("start", "postgres")
    wait_until(lambda: stack.inspect("postgres")["State"]["Health"]["Status"] == "healthy")
    stack.keep_all(before.items(), [(name, run.info.run_id) for name, run in runs(stack).items()])


def test_a_training_runs_on_several_containers(stack: Stack) -> None:
    stack.up("mlflow", "ray-head", "ray-worker", profile="workers")
    weights = stack.clone / "build/weights/surname/model.safetensors"
    weights.unlink()
    cluster = ["--env", "RAY_ADDRESS=ray://ray-head:10001"]
    command = ["python", "-m", "pipelines.stages.train", "surname"]
    try:
        said = stack.compose("run", "--rm", "--no-TTY", *cluster, "train", *command, profile="train")
    except AssertionError:
        logs = "tail -n 40 /tmp/ray/session_latest/logs/ray_client_server*"
        print(stack.compose("exec", "--no-TTY", "ray-head", "sh", "-c", logs, profile="workers"))  # noqa: T201 - pytest shows it
        raise
    assert "surname: epoch 2 " in said
    assert weights.is_file()
    stack.compose("rm", "--stop", "--force", "ray-head", "ray-worker", profile="workers")


def test_the_whole_stack_restarts_with_its_data(stack: Stack) -> None:
    before = {name: run.info.run_id for name, run in runs(stack).items()}
    stack.compose("down", "--timeout", "45")
    stack.figures["compose_ready_s"] = stack.up()
    stack.keep_all(before.items(), [(name, run.info.run_id) for name, run in runs(stack).items()])
    assert stack.ask("fr-en", {"inputs": "Ce paquet contient les fichiers."}).status_code == 200
