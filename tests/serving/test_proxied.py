"""A server behind its proxy, as clients see it, also during deployments, key rotations and shutdown."""

import gzip
import json
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection
from itertools import islice, product
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from asking import SEQLINE, WRONG_HERE, MakeStore, falsify
from waiting import until

from benchmarks.load.clients import Clients
from benchmarks.load.target import Target
from serving.client.client import Client
from serving.client.exchange import ServingError
from serving.client.grpc import Grpc
from serving.endpoints.classification.contract import ClassificationRequest
from serving.endpoints.generation.contract import GenerationParameters, GenerationRequest
from serving.server import control, site
from serving.server.archive import find_archives
from serving.server.errors import ControlError
from serving.server.instance import GATEWAY, Instance
from serving.server.proxy import Front, Limits, Proxy, find_nginx

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]
pytest.importorskip("ts")
try:
    find_nginx()
except ControlError as error:
    pytest.skip(str(error), allow_module_level=True)

Json = Any
KINDS = ["classification", "sentiment", "generation", "translation", "vectors"]


def client(target: Target, scheme: str = "https") -> Client:
    key = target.headers()["Authorization"].removeprefix("Bearer ")
    return Client(f"{scheme}://localhost:{target.state.port}", key, certificates=target.certificate)


@pytest.fixture
def alone(bundles: dict[str, Path], make_store: MakeStore, tmp_path: Path) -> Iterator[Callable[..., Target]]:
    """A function that starts a server with only a classifier, behind a proxy with the given limits."""

    def start(**limits: Any) -> Target:
        store = make_store(tmp_path / "packaged", bundles["classification"])
        control.up(store, tmp_path, 0, Front(limits=Limits(**limits)))
        return Target.of(tmp_path)

    yield start
    control.down(tmp_path)


GOOD = b'{"inputs": "ab"}'
# Without a timestamp, as pytest-xdist needs the same test ids in all its processes.
ZIPPED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_in_the_document_gets_its_documented_answer(kind: str, proxied: Target) -> None:
    document = proxied.request("GET", "/openapi.json").json()
    operation = document["paths"][f"/predictions/{kind}"]["post"]
    asked = operation["requestBody"]["content"]["application/json"]["examples"]
    answered = operation["responses"]["200"]["content"]["application/json"]["examples"]
    for name, example in asked.items():
        response = proxied.ask(kind, json.dumps(example["value"]).encode())
        assert response.status_code == 200
        assert _rounded(response.json()) == _rounded(answered[name]["value"])


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code"),
    [
        ("GET", "/predictions/classification", b"", {}, 405, "method_not_allowed"),
        ("DELETE", "/predictions/classification", GOOD, {}, 405, "method_not_allowed"),
        ("POST", "/predictions/classification", GOOD, {"Content-Type": "text/plain"}, 415, "not_json"),
        (
            "POST",
            "/predictions/classification",
            b"inputs=a",
            {"Content-Type": "application/x-www-form-urlencoded"},
            415,
            "not_json",
        ),
        ("POST", "/predictions/classification", GOOD, {"Authorization": "Bearer wrong"}, 401, "no_key"),
        ("POST", "/predictions/classification", GOOD, {"Authorization": ""}, 401, "no_key"),
        ("POST", "/predictions/none", GOOD, {}, 404, "not_found"),
        ("POST", "/predictions/classification/1", GOOD, {}, 404, "not_found"),
        ("GET", "/index.html", b"", {}, 404, "not_found"),
        ("GET", "/keys.conf", b"", {}, 404, "not_found"),
        ("GET", "/web/", b"", {}, 404, "not_found"),
        ("GET", "/web/../keys.conf", b"", {}, 404, "not_found"),
        ("GET", "/web/..%2f..%2fkeys.conf", b"", {}, 400, "bad_request"),
        ("POST", "/predictions/classification", b'{"inputs": "' + b"a" * 300_000 + b'"}', {}, 413, "body_too_large"),
        *(
            ("POST", "/predictions/classification", GOOD, {"X-Deadline": wrong}, 400, "invalid_deadline")
            for wrong in ("soon", "0", "0.0", ".0", ".", "-1", "100000", "1e3")
        ),
        ("POST", "/predictions/classification", ZIPPED, {"Content-Encoding": "gzip"}, 415, "encoded_body"),
        ("POST", "/predictions/classification", ZIPPED, {}, 400, "encoded_body"),
        ("POST", "/predictions/classification", GOOD, {"X-Deadline": "0.000001"}, 504, "deadline_exceeded"),
        ("POST", "/predictions/classification", b'{"inputs": NaN}', {}, 400, "invalid_json"),
        ("POST", "/predictions/classification", b'{"inputs": "a", "inputs": "b"}', {}, 400, "invalid_json"),
        ("POST", "/predictions/classification", b"", {}, 400, "empty_body"),
        ("POST", "/feedback", GOOD, {"Authorization": ""}, 401, "no_key"),
        ("GET", "/feedback", b"", {}, 405, "method_not_allowed"),
        ("POST", "/feedback", GOOD, {"Content-Type": "text/plain"}, 415, "not_json"),
        ("POST", "/feedback", ZIPPED, {"Content-Encoding": "gzip"}, 415, "encoded_body"),
        ("POST", "/feedback", ZIPPED, {}, 400, "encoded_body"),
        ("POST", "/feedback", b"a" * 300_000, {}, 413, "body_too_large"),
        ("POST", "/feedback", GOOD, {}, 400, "invalid_feedback"),
        ("POST", "/feedback/", GOOD, {}, 404, "not_found"),
        ("DELETE", f"/feedback/{32 * '0'}", b"", {"Authorization": ""}, 401, "no_key"),
        ("DELETE", f"/feedback/{32 * '0'}", b"", {}, 404, "unknown_answer"),
        ("GET", f"/feedback/{32 * '0'}", b"", {}, 404, "not_found"),
        ("DELETE", "/feedback/..%2f..%2fpredictions", b"", {}, 400, "bad_request"),
        # TorchServe's other endpoints, which must not be reachable.
        ("GET", "/ping", b"", {}, 404, "not_found"),
        ("GET", "/models", b"", {}, 404, "not_found"),
        ("POST", "/models?url=other.mar", b"", {}, 404, "not_found"),
        ("POST", "/workflows?url=other.war", b"", {}, 404, "not_found"),
        ("POST", "/metrics", b"", {}, 404, "not_found"),
        ("GET", "/metrics", b"", {"Authorization": ""}, 401, "no_key"),
        ("POST", "/invocations", GOOD, {}, 404, "not_found"),
        ("POST", "/predictions/..%2f..%2fmodels", GOOD, {}, 400, "bad_request"),
    ],
)
def test_a_wrong_request_gets_an_error_that_says_why(
    method: str, path: str, body: bytes, headers: dict[str, str], status: int, code: str, proxied: Target
) -> None:
    response = proxied.request(method, path, body, headers)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("headers", [{"X-Deadline": "99999"}, {"X-Deadline": "4.5"}, {"Content-Encoding": "identity"}])
def test_a_request_at_the_limits_is_answered(headers: dict[str, str], proxied: Target) -> None:
    assert proxied.ask("classification", GOOD, headers).status_code == 200


def test_the_key_is_case_sensitive_and_its_scheme_is_not(proxied: Target) -> None:
    key = proxied.headers()["Authorization"].removeprefix("Bearer ")
    statuses = {
        sent: proxied.ask("classification", GOOD, {"Authorization": sent}).status_code
        for sent in (f"Bearer {key}", f"bearer {key}", f"Bearer {key.upper()}", f"Bearer {key.lower()}", f"Bearer {key}x", key)
    }
    assert list(statuses.values()) == [200, 200, 401, 401, 401, 401]


def test_answers_are_printed_verbatim(proxied: Target) -> None:
    command = [*SEQLINE, "ask", "generation", "Ab:cat:[b]", "-p", "max_new_tokens=1", "--instance", str(proxied.folder)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed)[0]["generated_text"].startswith("Ab:cat:[b]")


def test_plain_http_is_told_to_use_https(proxied: Target) -> None:
    response = requests.get(f"http://127.0.0.1:{proxied.state.port}/predictions/classification", timeout=10)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "plain_http")


def test_every_port_listens_on_the_loopback_address_only(proxied: Target) -> None:
    processes = Instance(proxied.folder).processes() + Proxy(Instance(proxied.folder)).processes()
    ports = {c.laddr.port for p in processes for c in p.net_connections() if c.status == psutil.CONN_LISTEN}
    hosts = {c.laddr.ip for p in processes for c in p.net_connections() if c.status == psutil.CONN_LISTEN}
    assert ports == set(proxied.state.ports.model_dump().values())
    assert {host.removeprefix("::ffff:") for host in hosts} == {"127.0.0.1"}


@pytest.mark.parametrize("path", [*site.VIEWS, "/web/app.js", "/web/base.css", "/web/vendor/swagger-ui/swagger-ui-bundle.js"])
def test_pages_have_their_types_and_headers_behind_nginx(proxied: Target, path: str) -> None:
    response = proxied.request("GET", path, headers={"Authorization": ""})
    assert response.status_code == 200
    kinds = {"json": "application/json", "js": "text/javascript", "css": "text/css"}
    assert response.headers["Content-Type"].split(";")[0] == kinds.get(path.rpartition(".")[2], "text/html")
    assert {name: response.headers[name] for name in site.HEADERS} == site.HEADERS
    assert proxied.request("POST", path, b"{}").status_code == 404


def test_the_address_that_torchserve_gets_is_the_one_that_was_checked(proxied: Target) -> None:
    """A path that only becomes a prediction when it is normalized."""
    context = ssl.create_default_context(cafile=str(proxied.certificate))
    connection = HTTPSConnection("127.0.0.1", proxied.state.port, timeout=30, context=context)
    connection.request("POST", "/explanations/x/../../predictions/classification?x=1", GOOD, proxied.headers())
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())) == (200, proxied.ask("classification", GOOD).json())


@pytest.mark.filterwarnings("ignore:.*TLSv1.*:DeprecationWarning")
@pytest.mark.parametrize(("version", "spoken"), [("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)])
def test_only_tls_1_2_and_later_are_accepted(version: str, spoken: bool, proxied: Target) -> None:
    context = ssl.create_default_context(cafile=str(proxied.certificate))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # otherwise the client itself would refuse old versions
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with socket.create_connection(("127.0.0.1", proxied.state.port)) as connection:
        if spoken:
            context.wrap_socket(connection, server_hostname="localhost").close()
        else:
            with pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"):
                context.wrap_socket(connection, server_hostname="localhost")


def test_tls_is_required_and_the_certificate_is_self_signed(proxied: Target) -> None:
    assert requests.get(proxied.url.replace("https", "http"), timeout=30).status_code == 400
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(proxied.url, timeout=30)


def test_a_name_is_streamed_through_the_proxy(proxied: Target) -> None:
    response = proxied.ask("generation", b'{"inputs": "Ro", "parameters": {"seed": 5, "stream": true}}')
    *parts, last = [json.loads(line) for line in response.iter_lines()]
    assert response.headers["Content-Type"] == "application/x-ndjson"
    assert "Ro" + "".join(part["token"] for part in parts) == last[0]["generated_text"]


def test_the_log_has_requests_and_neither_bodies_nor_keys(proxied: Target) -> None:
    request = proxied.ask("classification", b'{"inputs": "Geheimnis"}').headers["X-Request-Id"]
    path = proxied.folder / "logs/access.log"
    until(lambda: request in path.read_text(), "the log to be written")
    log = path.read_text()
    (entry,) = (entry for entry in map(json.loads, log.splitlines()) if entry["id"] == request)
    assert entry["path"] == "/predictions/classification"
    assert "Geheimnis" not in log
    assert proxied.headers()["Authorization"].removeprefix("Bearer ") not in log


def test_time_in_the_queue_is_measured(proxied: Target) -> None:
    proxied.ask("classification", GOOD)
    text = requests.get(f"http://127.0.0.1:{proxied.state.ports.exporter}/metrics", timeout=30).text
    assert 'seqline_stage_seconds_count{model="classification",stage="queue"' in text


def test_deploy_and_rollback_fail_no_request(
    proxied: Target, other: Callable[[float], Path], make_store: MakeStore, tmp_path: Path
) -> None:
    first = proxied.ask("classification", GOOD)
    store = make_store(tmp_path / "packaged", other(20))
    with Clients(proxied, "classification", GOOD) as load:
        served = control.deploy(store / "classification.mar", proxied.folder)
        second = proxied.ask("classification", GOOD)
        with pytest.raises(ControlError, match="already"):
            control.deploy(store / "classification.mar", proxied.folder)
        control.rollback("classification", proxied.folder)
        third = proxied.ask("classification", GOOD)
    assert load.failed == []
    assert load.answered > 10
    assert second.json() != first.json() == third.json()
    assert second.headers["X-Model-Version"] == served.version
    assert first.headers["X-Model-Version"] == third.headers["X-Model-Version"] == served.previous


def test_a_replaced_version_has_no_drift(
    proxied: Target, other: Callable[[float], Path], make_store: MakeStore, tmp_path: Path
) -> None:
    """Otherwise the alert about it would never end."""
    texts = map("".join, product("abcdefgh", repeat=6))

    def drifted() -> set[str]:
        proxied.ask("classification", json.dumps({"inputs": list(islice(texts, 50))}).encode())
        text = requests.get(f"http://127.0.0.1:{proxied.state.ports.exporter}/metrics", timeout=30).text
        return set(re.findall(r'^seqline_drift_psi\{.*model="classification".*version="([^"]+)"', text, re.MULTILINE))

    first = until(drifted, "drift to be measured")
    served = control.deploy(make_store(tmp_path / "packaged", other(22)) / "classification.mar", proxied.folder)
    assert first == {served.previous}
    assert drifted() == set()
    control.rollback("classification", proxied.folder)
    assert drifted() == first


def test_the_document_has_the_examples_of_the_active_version(
    proxied: Target, other: Callable[[float], Path], make_store: MakeStore, tmp_path: Path
) -> None:
    def documented() -> Json:
        operation = proxied.request("GET", "/openapi.json").json()["paths"]["/predictions/classification"]["post"]
        return operation["responses"]["200"]["content"]["application/json"]["examples"]["example1"]["value"]

    store = make_store(tmp_path / "packaged", other(25))
    before = documented()
    control.deploy(store / "classification.mar", proxied.folder)
    (archive,) = find_archives(store)
    assert before != documented() == archive.examples[0].answer
    control.rollback("classification", proxied.folder)
    assert documented() == before


def test_a_version_with_unexpected_answers_is_not_deployed(
    proxied: Target, other: Callable[[float], Path], make_store: MakeStore, tmp_path: Path
) -> None:
    path = make_store(tmp_path / "packaged", other(30)) / "classification.mar"
    falsify(path)
    before = control.status(proxied.folder)["classification"]
    with pytest.raises(ControlError, match=WRONG_HERE):
        control.deploy(path, proxied.folder)
    assert control.status(proxied.folder)["classification"] == before
    assert proxied.ask("classification", GOOD).headers["X-Model-Version"] == before.version


def test_key_rotation_fails_no_request_and_expires_the_oldest_key(alone: Callable[..., Target]) -> None:
    server = alone()
    first = server.headers()["Authorization"]
    with Clients(server, "classification", GOOD) as load:
        control.rotate(server.folder)
        before = load.answered
        until(lambda: load.answered > before + 10, "answers after the rotation")
        second = server.headers()["Authorization"]
    assert load.failed == []
    assert first != second
    assert [server.ask("classification", GOOD, {"Authorization": key}).status_code for key in (first, second)] == [200, 200]
    control.rotate(server.folder)

    def both() -> list[int]:
        return [server.ask("classification", GOOD, {"Authorization": key}).status_code for key in (first, second)]

    until(lambda: both() == [401, 200], "the first key to end")
    for name in ("keys.json", "keys.conf", "nginx.conf", "upstream.conf", "authorization", "certificate-key.pem"):
        assert (server.folder / name).stat().st_mode & 0o077 == 0, name


def test_status_reports_a_gateway_or_a_proxy_that_has_ended(alone: Callable[..., Target]) -> None:
    server = alone()
    assert control.status(server.folder)
    assert control.runs(server.folder)
    (gateway,) = (process for process in Instance(server.folder).processes() if GATEWAY in process.cmdline())
    gateway.kill()
    until(lambda: not control.runs(server.folder), "the gateway to end")
    with pytest.raises(ControlError, match=r"the gateway of .* has ended"):
        control.status(server.folder)
    judged = server.request("POST", "/feedback", b"{}")
    assert (judged.status_code, judged.json()["error"]["code"]) == (503, "unavailable")
    assert server.ask("classification", GOOD).status_code == 200
    Proxy(Instance(server.folder)).drain(5)
    with pytest.raises(ControlError, match=r"the proxy of .* has ended"):
        control.status(server.folder)


def test_requests_over_the_rate_limit_get_429_with_retry_after(alone: Callable[..., Target]) -> None:
    server = alone(rate=1, burst=1)
    responses = [server.ask("classification", GOOD) for _ in range(10)]
    refused = [response for response in responses if response.status_code != 200]
    assert {response.status_code for response in refused} == {429}
    assert {response.headers["Retry-After"] for response in refused} == {"1"}
    assert {response.json()["error"]["code"] for response in refused} == {"too_many_requests"}
    judged = {server.request("POST", "/feedback", b"{}").status_code for _ in range(10)}
    assert 429 in judged <= {400, 429}  # the requests before may have used up the rate
    with client(server) as asking:  # retries after waiting
        assert len([asking.ask("classification", ClassificationRequest(inputs="ab")) for _ in range(3)]) == 3


def test_too_many_concurrent_grpc_requests_are_refused(bundles: dict[str, Path], make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store(tmp_path / "packaged", bundles["classification"], delay_ms=4000, deadline_s=12)  # waits to fill a batch
    control.up(store, tmp_path, 0, Front(limits=Limits(in_flight=2)))
    server = Target.of(tmp_path)
    key = server.headers()["Authorization"].removeprefix("Bearer ")
    asking = Grpc(f"localhost:{server.state.port}", key, 30, server.certificate, secure=True)

    def code(_: int) -> str:
        try:
            asking.send("classification", GOOD)
        except ServingError as error:
            return error.code
        return ""

    try:
        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(code, range(6))) == ["", "", *["unavailable"] * 4]
        assert code(0) == ""
    finally:
        asking.close()
        control.down(tmp_path)


def test_too_much_concurrent_feedback_of_a_key_is_refused(alone: Callable[..., Target]) -> None:
    server = alone(in_flight=2)

    def code(number: int) -> str:
        identity = f"{number:032x}"  # of no answer; the gateway waits a while for one
        body = json.dumps({"id": identity, "label": "French"}).encode()
        refused = server.request("POST", "/feedback", body) if number % 2 else server.request("DELETE", f"/feedback/{identity}")
        return str(refused.json()["error"]["code"])

    expected = [*["unavailable"] * 4, *["unknown_answer"] * 2]
    with ThreadPoolExecutor(6) as pool:  # again if the machine was too busy to send them at the same time
        until(lambda: sorted(pool.map(code, range(6))) == expected, "two of six requests to be taken")
        assert server.ask("classification", GOOD).status_code == 200
    assert [code(0), code(1)] == ["unknown_answer"] * 2


def test_down_answers_accepted_requests(bundles: dict[str, Path], make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store(tmp_path / "packaged", bundles["classification"], delay_ms=4000, deadline_s=12)  # waits to fill a batch
    control.up(store, tmp_path, 0, Front())
    server = Target.of(tmp_path)
    headers, url = server.headers(), server.url
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.ask, "classification", GOOD, headers)
        time.sleep(2)
        assert control.down(tmp_path) >= 4
        assert asked.result().status_code == 200
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=30)
    assert not Proxy(Instance(tmp_path)).processes()


def test_sigterm_stops_a_server_like_down(bundles: dict[str, Path], make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store(tmp_path / "packaged", bundles["classification"], delay_ms=4000, deadline_s=12)
    command = [*SEQLINE, "up", "--proxy", "--stay", "--port", "0"]
    command += ["--store", str(store), "--instance", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as up, ThreadPoolExecutor(1) as pool:
        while not (tmp_path / "state.json").exists():
            assert up.poll() is None
            time.sleep(0.1)
        asked = pool.submit(Target.of(tmp_path).ask, "classification", GOOD)
        time.sleep(2)
        up.terminate()
        assert asked.result().status_code == 200
    assert up.returncode == 128 + signal.SIGTERM
    assert not Instance(tmp_path).processes()
    assert not Proxy(Instance(tmp_path)).processes()


@pytest.mark.parametrize("scheme", ["https", "grpcs"])
def test_the_client_streams(scheme: str, proxied: Target) -> None:
    wanted = GenerationRequest(inputs="Ro", parameters=GenerationParameters(seed=5, stream=True))
    with client(proxied, scheme) as asking:
        *drawn, last = asking.stream("generation", wanted)
    assert isinstance(last, list)
    assert last[0].generated_text == "Ro" + "".join(part.token for part in drawn if not isinstance(part, list))
    assert drawn


@pytest.mark.parametrize("scheme", ["https", "grpcs"])
def test_the_client_returns_the_servers_answers_and_errors(scheme: str, proxied: Target) -> None:
    with client(proxied, scheme) as asking:
        (answer,) = asking.ask("classification", ClassificationRequest(inputs="ab"))
        assert isinstance(answer, list)
        (expected, *_) = proxied.ask("classification", GOOD).json()
        assert (answer[0].label, round(answer[0].score, 4)) == (expected["label"], round(expected["score"], 4))
        with pytest.raises(ServingError) as caught:
            asking.send("classification", b'{"inputs": 3}')
    assert caught.value.code == "invalid_inputs"


def test_a_port_in_use_is_reported_before_anything_starts(proxied: Target, tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"port \d+ is in use"):
        control.up(proxied.folder / "packaged", tmp_path, proxied.state.port, Front())
    assert not Instance(tmp_path).processes()


def _rounded(body: Json) -> Json:
    """Round scores to four decimals: the last bits of float32 sums depend on the batch's shape."""
    return json.loads(json.dumps(body), parse_float=lambda number: round(float(number), 4))
