"""A real TorchServe, started and stopped by `serving.server.control`, with requests over REST."""

import json
import signal
import socket
import stat
import subprocess
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from asking import SEQLINE, WRONG_HERE, MakeStore, falsify
from prometheus_client.parser import text_string_to_metric_families

from serving.bundle import sha256
from serving.predictor import load_predictor
from serving.server import control
from serving.server.errors import ControlError
from serving.server.instance import JAVA, Instance
from serving.server.ports import choose_ports

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
pytest.importorskip("ts")

Json = Any
BATCH = 4
FILL_MS = 4000  # how long a single request waits for its batch to fill; far longer than any answer takes


@dataclass(frozen=True)
class Live:
    """A running server and the folder it runs in."""

    folder: Path
    server: control.Server

    @property
    def headers(self) -> dict[str, str]:
        name, _, value = self.server.authorization.read_text().strip().partition(": ")
        return {name: value}

    def url(self, place: str) -> str:
        return f"{self.server.url}/predictions/{place}"

    def ask(self, kind: str, body: Json) -> tuple[int, Json]:
        return answer(self.post(kind, json=body))

    def post(self, kind: str, **content: Json) -> requests.Response:
        content["headers"] = self.headers | content.get("headers", {})
        return requests.post(self.url(kind), timeout=30, **content)


def answer(response: requests.Response) -> tuple[int, Json]:
    return response.status_code, response.json()


@pytest.fixture(scope="module")
def live(make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with a model of each kind, in a folder with special characters in its name, and without a locale."""
    folder = tmp_path_factory.mktemp("live") / "é #? %20 $'{};,"
    folder.mkdir()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LC_ALL", "C")
            server = control.up(make_store(folder / "packaged"), folder, port=0)
        yield Live(folder, server)
    finally:
        control.down(folder)


@pytest.fixture(scope="module")
def slow(bundles: dict[str, Path], make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A second server, with a classifier that waits long for its batch to fill."""
    folder = tmp_path_factory.mktemp("slow")
    store = make_store(folder / "packaged", bundles["classification"], delay_ms=FILL_MS, deadline_s=12)
    try:
        yield Live(folder, control.up(store, folder, port=0))
    finally:
        control.down(folder)


@pytest.fixture
def one(bundles: dict[str, Path], make_store: MakeStore, tmp_path: Path) -> Path:
    """A store with only a classifier."""
    return make_store(tmp_path / "packaged", bundles["classification"])


def test_every_model_is_ready(live: Live) -> None:
    assert control.status(live.folder) == {
        archive.name: control.Health(archive.version, None) for archive in live.server.archives
    }
    assert len(live.server.archives) == 5


@pytest.mark.parametrize("kind", ["classification", "sentiment", "generation", "translation", "vectors"])
@pytest.mark.parametrize("inputs", ["ab", ["ab", "abc"]])
def test_every_kind_answers_as_its_predictor_does(kind: str, inputs: Json, live: Live, bundles: dict[str, Path]) -> None:
    body = {"inputs": inputs} | ({"parameters": {"seed": 1}} if kind == "generation" else {})
    (expected,) = load_predictor(bundles[kind]).answer([body])
    assert live.ask(kind, body) == (200, json.loads(json.dumps(expected.body)))


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        ("", "application/json", "empty_body"),
        ('{"inputs": ', "application/json", "invalid_json"),
        ('{"inputs": NaN}', "application/json", "invalid_json"),
        ('{"inputs": "ab", "inputs": "cd"}', "application/json", "invalid_json"),
        ("[" * 100_000, "application/json", "invalid_json"),
        ("{}", "application/json", "missing_inputs"),
        ('{"inputs": "ab", "top_k": 1}', "application/json", "unknown_field"),
        ("inputs=ab", "application/x-www-form-urlencoded", "invalid_json"),
        ("ab", "text/plain", "invalid_json"),
        (b"\xff\xfe", "application/octet-stream", "not_utf8"),
    ],
)
def test_a_wrong_request_gets_a_400_that_says_why(body: str | bytes, content_type: str, code: str, live: Live) -> None:
    response = live.post("classification", data=body, headers={"Content-Type": content_type})
    assert response.headers["content-type"] == "application/json"
    status, content = answer(response)
    assert (status, content["error"]["code"]) == (400, code)
    assert content["error"]["message"]


def test_a_name_is_streamed_line_by_line(live: Live, bundles: dict[str, Path]) -> None:
    body = {"inputs": "Ro", "parameters": {"seed": 5, "stream": True}}
    with live.post("generation", json=body, stream=True) as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert response.headers["Content-Type"] == "application/x-ndjson"
        *parts, last = [json.loads(line) for line in response.iter_lines()]
    (expected,) = load_predictor(bundles["generation"]).answer([body])
    assert last == json.loads(json.dumps(expected.body))
    assert "Ro" + "".join(part["token"] for part in parts) == last[0]["generated_text"]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/octet-stream", "application/json; charset=utf-8", "application/x-www-form-urlencoded"],
)
def test_json_with_another_content_type_is_accepted(content_type: str, live: Live) -> None:
    response = live.post("classification", data='{"inputs": "ab"}', headers={"Content-Type": content_type})
    assert answer(response) == live.ask("classification", {"inputs": "ab"})


def test_an_unknown_model_is_a_404(live: Live) -> None:
    response = live.post("classification-not", json={"inputs": "ab"})
    assert response.status_code == 404


def test_a_huge_request_is_a_413(live: Live) -> None:
    assert live.post("classification", json={"inputs": "a" * 2_000_000}).status_code == 413


def test_an_answer_names_the_model_and_its_run(live: Live) -> None:
    for body, status in (({"inputs": "ab"}, 200), ({"inputs": 3}, 400)):
        response = live.post("classification", json=body)
        assert response.status_code == status
        assert response.headers["X-Model-Version"] == control.status(live.folder)["classification"].version
        assert response.headers["X-MLflow-Run-Id"] == "0123abcd"


def test_nothing_is_answered_without_a_key(live: Live) -> None:
    ports = live.server.state.ports
    for port, path in [(ports.inference, "predictions/classification"), (ports.inference, "ping"), (ports.management, "models")]:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            response = requests.post(f"http://127.0.0.1:{port}/{path}", json={"inputs": "ab"}, headers=headers, timeout=30)
            assert response.status_code == 400
            assert "Token" in response.json()["message"]


@pytest.mark.parametrize("path", ["models?url=other.mar", "workflows?url=other.war", "models/classification?min_worker=0"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_inference_key_opens_nothing_else(method: str, path: str, live: Live) -> None:
    url = f"http://127.0.0.1:{live.server.state.ports.management}/{path}"
    response = requests.request(method, url, headers=live.headers, timeout=30)
    assert (response.status_code, "Token" in response.json()["message"]) == (400, True)
    assert all(health.ready for health in control.status(live.folder).values())


def test_the_management_key_cannot_register_a_model_from_elsewhere(live: Live) -> None:
    management = f"http://127.0.0.1:{live.server.state.ports.management}/models"
    key = json.loads((live.folder / "key_file.json").read_text())["management"]["key"]
    headers = {"Authorization": f"Bearer {key}"}
    locations = ("https://example.org/other.mar", live.server.archives[0].path.as_uri(), "../packaged/classification.mar")
    for location in locations:
        params = {"url": location, "model_name": "other"}
        assert requests.post(management, params=params, headers=headers, timeout=30).status_code >= 400
    assert requests.get(f"{management}/other", headers=headers, timeout=30).status_code == 404


def test_key_files_are_readable_only_by_their_owner(live: Live) -> None:
    for name in ("key_file.json", "authorization"):
        assert stat.S_IMODE((live.folder / name).stat().st_mode) == 0o600


def test_metrics_are_exported_to_prometheus(live: Live) -> None:
    live.ask("classification", {"inputs": "ab"})
    live.ask("classification", {"inputs": 3})
    ports = live.server.state.ports
    assert "ts_inference_requests_total" in requests.get(f"http://127.0.0.1:{ports.metrics}/metrics", timeout=30).text
    text = requests.get(f"http://127.0.0.1:{ports.exporter}/metrics", timeout=30).text
    counted = {family.name: family for family in text_string_to_metric_families(text)}
    codes = {s.labels["code"]: s.value for s in counted["seqline_requests"].samples if s.labels["model"] == "classification"}
    assert codes[""] >= 1
    assert codes["invalid_inputs"] >= 1
    stages = {s.labels["stage"] for s in counted["seqline_stage_seconds"].samples if s.name.endswith("_count") and s.value}
    assert stages == {"queue", "tokenize", "model", "decode"}


def test_concurrent_requests_share_a_batch_and_each_gets_its_own_answer(slow: Live, live: Live) -> None:
    bodies = [{"inputs": inputs} for inputs in ("a", ["ab", "c"], "abcdef")] + [{"inputs": "ab", "parameters": {"top_q": 1}}]
    assert len(bodies) == BATCH
    start = time.monotonic()
    with ThreadPoolExecutor(BATCH) as pool:
        answers = list(pool.map(lambda body: slow.ask("classification", body), bodies))
    assert time.monotonic() - start < FILL_MS / 1000  # one by one, each would have waited for its batch to fill
    assert [status for status, _ in answers] == [200, 200, 200, 400]
    assert answers[-1][1]["error"]["code"] == "unknown_parameter"
    for body, answered in zip(bodies, answers, strict=True):
        assert _rounded(answered) == _rounded(live.ask("classification", body))


def test_a_second_up_on_a_running_instance_is_refused(slow: Live) -> None:
    with pytest.raises(ControlError, match="already runs"):
        control.up(slow.folder / "packaged", slow.folder, port=0)
    assert control.status(slow.folder)


def test_a_port_in_use_is_refused(live: Live, tmp_path: Path) -> None:
    port = live.server.state.port
    with pytest.raises(ControlError, match=rf"port {port} is in use"):
        control.up(live.folder / "packaged", tmp_path, port)
    assert not Instance(tmp_path).processes()


def test_down_leaves_no_process_and_does_not_touch_other_servers(slow: Live, live: Live) -> None:
    processes = Instance(slow.folder).processes()
    assert {process.name() for process in processes} >= {"java"}
    assert len(processes) >= 2  # and a worker
    assert control.down(slow.folder) == len(processes)
    assert not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not Instance(slow.folder).tmp.exists()
    with pytest.raises(ControlError, match="no server runs"):
        control.status(slow.folder)
    assert control.down(slow.folder) == 0
    assert live.ask("classification", {"inputs": "ab"})[0] == 200


def test_down_stops_orphaned_workers(live: Live, one: Path, tmp_path: Path) -> None:
    control.up(one, tmp_path, port=0)
    worker = next(p for p in Instance(tmp_path).processes() if p.name() != "java")
    worker.suspend()  # otherwise it would notice and end
    next(p for p in Instance(tmp_path).processes() if p.name() == "java").kill()
    assert control.down(tmp_path) >= 1
    assert not Instance(tmp_path).processes()
    assert live.ask("classification", {"inputs": "ab"})[0] == 200


def test_a_model_that_does_not_load_is_named_and_no_process_is_left(one: Path, tmp_path: Path) -> None:
    damaged = one / "damaged.mar"
    with zipfile.ZipFile(next(one.glob("*.mar"))) as source, zipfile.ZipFile(damaged, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name) if name != "model.onnx" else b"")
    damaged.with_suffix(".sha256").write_text(f"{sha256(damaged)}  {damaged.name}\n")
    with pytest.raises(ControlError, match=r"model damaged does not load: .*BundleError: .*model\.onnx"):
        control.up(one, tmp_path, port=0)
    assert not Instance(tmp_path).processes()


def test_an_archive_with_unexpected_answers_is_named_with_a_remedy(one: Path, tmp_path: Path) -> None:
    falsify(one / "classification.mar")
    with pytest.raises(ControlError, match=WRONG_HERE):
        control.up(one, tmp_path, port=0)
    assert not Instance(tmp_path).processes()


def _heed_interrupts() -> None:
    """Restore SIGINT's default: background jobs of a shell without job control ignore it, and so would the test's children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("interrupt", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_no_process(interrupt: signal.Signals, one: Path, tmp_path: Path) -> None:
    command = [*SEQLINE, "up", "--store", str(one), "--instance", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=_heed_interrupts) as up:
        while not Instance(tmp_path).runs(JAVA):
            assert up.poll() is None
            time.sleep(0.05)
        up.send_signal(interrupt)
    assert up.returncode == 128 + interrupt
    assert not Instance(tmp_path).processes()


def test_a_failing_java_shows_the_end_of_its_log(one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho out of luck\n")
    java.chmod(0o755)
    (tmp_path / "java" / "release").write_text('JAVA_VERSION="17"\n')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    with pytest.raises(ControlError, match=r"(?s)TorchServe failed to start.*out of luck"):
        control.up(one, tmp_path, port=0)


def test_a_port_that_was_taken_meanwhile_is_named(one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = choose_ports(0).model_copy(update={"management": port})
        monkeypatch.setattr(control, "choose_ports", lambda *_: ports)
        with pytest.raises(ControlError, match=rf"(?s)TorchServe failed to start.*127\.0\.0\.1:{port}\b.*already in use"):
            control.up(one, tmp_path, port=0)


def _rounded(answered: tuple[int, Json]) -> Json:
    """Round scores to four decimals: the last bits of float32 sums depend on the batch's shape."""
    return json.loads(json.dumps(answered), parse_float=lambda number: round(float(number), 4))
