"""Alerts, with the real Prometheus and Alertmanager: the rules, the configuration, and the way of an alert to its receiver."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import yaml
from prometheus_client import start_http_server
from waiting import until

from serving.contents import Reference, Spread
from serving.server.ports import free_port
from serving.telemetry.meter import Batch, Text
from serving.telemetry.metrics import PrometheusMeter
from serving.telemetry.vectors import ngram_vector

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
RULES = DOCKER / "prometheus/alerts.yml"
SCRAPING = DOCKER / "prometheus/prometheus.yml"
DELIVERY = DOCKER / "alertmanager/alertmanager.yml"
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
needs_tools = pytest.mark.skipif(
    not (shutil.which("promtool") and shutil.which("amtool") and ALERTMANAGER),
    reason="Prometheus and Alertmanager are not installed; run `apt-get install prometheus prometheus-alertmanager`",
)
Webhook = tuple[int, list[dict[str, Any]]]  # a receiver's port, and the messages that it got


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_tools
def test_the_rules_and_the_delivery_are_valid() -> None:
    run("promtool", "check", "rules", RULES)
    run("amtool", "check-config", DELIVERY)


@needs_tools
def test_the_rules_fire_when_they_should_and_not_before() -> None:
    run("promtool", "test", "rules", Path(__file__).with_name("alerts.yml"))


def test_every_rule_has_a_unit_test() -> None:
    tested = yaml.safe_load(Path(__file__).with_name("alerts.yml").read_text(encoding="utf-8"))["tests"]
    fired = {case["alertname"] for test in tested for case in test["alert_rule_test"] if case.get("exp_alerts")}
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    assert fired == {rule["alert"] for rule in group["rules"]}


def test_the_status_page_marks_drift_from_where_alerts_begin() -> None:
    (line,) = re.findall(r"const DRIFTED = {(.*)}", (ROOT / "serving/web/status.js").read_text(encoding="utf-8"))
    rules = dict(re.findall(r"\((seqline_drift_\w+)\) > ([\d.]+)", RULES.read_text(encoding="utf-8")))
    assert dict(re.findall(r"(\w+): ([\d.]+)", line)) == rules


def test_alerts_go_to_a_service_of_the_compose_file() -> None:
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))["services"]
    alerting = yaml.safe_load(SCRAPING.read_text(encoding="utf-8"))["alerting"]
    assert alerting == {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]}
    ((hook,),) = ([one["url"] for one in r["webhook_configs"]] for r in yaml.safe_load(DELIVERY.read_text())["receivers"])
    assert hook == "http://watch:9094/alerts"
    assert "0.0.0.0:9094" in services["watch"]["command"]
    assert all("metrics" in services[name]["networks"] for name in ("prometheus", "alertmanager", "watch"))


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A receiver of alerts in the place of `watch`."""
    got: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/alerts"
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, got
        server.shutdown()


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of an exporter like a server's, whose model gets other texts than it was trained for."""
    monkeypatch.setattr("serving.telemetry.drift.RATE", 1_000_000)
    numbers = np.random.default_rng(0)

    def words(letters: str) -> list[str]:
        return ["".join(numbers.choice(list(letters), 8)) for _ in range(600)]

    vectors = np.array([ngram_vector(word) for word in words("abcdefghijkl")], dtype=np.float64)
    spread = Spread(mean=vectors.mean(axis=0).tolist(), covariance=np.cov(vectors.T).tolist(), count=len(vectors))
    meter = PrometheusMeter("shifted", "7-0123abcd", Reference(ngrams=spread))
    meter.batch(Batch({(200, ""): 600}, [Text(8, content=word) for word in words("ghijklmnopqr")], 0.1, 0.1, 0.1))
    server, thread = start_http_server(0, "127.0.0.1")
    yield server.server_port
    server.shutdown()
    thread.join()


def changed(source: Path, target: Path, change: Callable[[Any], None]) -> Path:
    """A copy of a configuration with other addresses and times."""
    content = yaml.safe_load(source.read_text(encoding="utf-8"))
    change(content)
    target.write_text(yaml.safe_dump(content), encoding="utf-8")
    return target


@contextmanager
def running(*command: str | Path) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def prometheus(folder: Path, exporter: int, manager: int) -> list[str | Path]:
    """The command of a Prometheus with our configuration, which looks every second."""

    def change(content: Any) -> None:
        content["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        content["rule_files"] = [str(folder / "alerts.yml")]
        content["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{manager}"]
        content["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{exporter}"]

    (folder / "alerts.yml").write_text(re.sub(r"for: \w+", "for: 1s", RULES.read_text(encoding="utf-8")), encoding="utf-8")
    config, port = changed(SCRAPING, folder / "prometheus.yml", change), free_port()
    flags = (f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}")
    return ["prometheus", f"--config.file={config}", *flags]


def alertmanager(folder: Path, port: int, hook: int) -> list[str | Path]:
    """The command of an Alertmanager with our configuration, which waits for a second."""

    def change(content: Any) -> None:
        content["route"]["group_wait"] = "1s"
        content["receivers"][0]["webhook_configs"][0]["url"] = f"http://127.0.0.1:{hook}/alerts"

    config = changed(DELIVERY, folder / "alertmanager.yml", change)
    flags = ("--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{port}", f"--storage.path={folder / 'state'}")
    return [ALERTMANAGER or "", f"--config.file={config}", *flags]


def names(message: dict[str, Any]) -> set[str]:
    return {alert["labels"]["alertname"] for alert in message["alerts"]}


@needs_tools
@pytest.mark.live
def test_an_alert_reaches_the_receiver_with_its_model_and_feature(exporter: int, webhook: Webhook, tmp_path: Path) -> None:
    (hook, got), manager = webhook, free_port()
    with ExitStack() as stack:
        commands: Sequence[list[str | Path]] = (alertmanager(tmp_path, manager, hook), prometheus(tmp_path, exporter, manager))
        for command in commands:
            stack.enter_context(running(*command))
        message = until(lambda: next((m for m in got if "TextsShift" in names(m)), None), "the alert")
    labels = {alert["labels"]["alertname"]: alert["labels"] for alert in message["alerts"]}
    assert message["groupLabels"] == {"model": "shifted"}
    expected = {"model": "shifted", "version": "7-0123abcd", "feature": "ngrams", "severity": "ticket", "action": "retrain"}
    assert labels["TextsShift"] == {"alertname": "TextsShift", **expected}
    assert message["status"] == "firing"
