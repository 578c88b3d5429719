"""A server without a proxy: pages, requests and metrics at one address, with the errors of the contract."""

import asyncio
import json
import re
import socket
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import requests
from aiohttp import ClientError, web
from aiohttp.test_utils import TestClient, TestServer
from asking import MakeStore

from serving.bundle import sha256
from serving.client.client import Client
from serving.contract.faults import ErrorAnswer
from serving.contract.headers import VERSION
from serving.records import Keeping
from serving.server import control, site
from serving.server.gateway import Gateway
from serving.server.instance import Instance

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
pytest.importorskip("ts")
PAUSE_S = 0.3
VENDOR = site.WEB / "vendor/swagger-ui"


@pytest.fixture(scope="module")
def server(bundles: dict[str, Path], make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[control.Server]:
    folder = tmp_path_factory.mktemp("gateway")
    try:
        yield control.up(make_store(folder / "packaged", bundles["classification"], bundles["generation"]), folder, 0)
    finally:
        control.down(folder)


def headers(server: control.Server) -> dict[str, str]:
    name, _, value = server.authorization.read_text(encoding="utf-8").strip().partition(": ")
    return {name: value}


@pytest.mark.parametrize(
    ("method", "path", "key", "status", "code"),
    [
        ("POST", "/predictions/classification", "", 401, "no_key"),
        ("POST", "/predictions/classification", "Bearer wrong", 401, "no_key"),
        ("POST", "/predictions/classification", "Basic é", 401, "no_key"),
        ("POST", "/predictions/classification", "Bearer é", 401, "no_key"),
        ("POST", "/predictions/..", None, 404, "not_found"),
        ("POST", "/predictions/%2e%2e", None, 404, "not_found"),
        ("POST", "/status", None, 404, "not_found"),
        ("GET", "/metrics", "Bearer wrong", 401, "no_key"),
        ("POST", "/predictions/surnam", None, 404, "not_found"),
        ("POST", "/predictions/", None, 404, "not_found"),
        ("POST", "/predictions/..%2fmodels", None, 404, "not_found"),
        ("GET", "/models", None, 404, "not_found"),
        ("GET", "/web/..%2fauthorization", None, 404, "not_found"),
        ("GET", "/web/../authorization", None, 404, "not_found"),
        ("GET", "/web/", None, 404, "not_found"),
        ("GET", "/predictions/classification", None, 405, "method_not_allowed"),
        ("POST", "/feedback", "Bearer wrong", 401, "no_key"),
        ("GET", "/feedback", None, 405, "method_not_allowed"),
        ("POST", "/feedback", None, 400, "invalid_feedback"),
        ("DELETE", f"/feedback/{32 * '0'}", "", 401, "no_key"),
        ("DELETE", f"/feedback/{32 * '0'}", None, 404, "unknown_answer"),
        ("GET", f"/feedback/{32 * '0'}", None, 404, "not_found"),
        ("DELETE", "/feedback/..%2fmetrics", None, 404, "not_found"),
    ],
)
def test_errors_have_the_form_of_the_contract(
    server: control.Server, method: str, path: str, key: str | None, status: int, code: str
) -> None:
    sent = headers(server) if key is None else {"Authorization": key.encode("latin-1")}
    session = requests.Session()
    request = session.prepare_request(requests.Request(method, server.url, headers=sent, data=b"{}"))
    request.url = server.url + path  # as it is, without the changes that a client makes
    response = session.send(request, timeout=30)
    assert response.status_code == status
    assert ErrorAnswer.model_validate_json(response.content).error.code == code


@pytest.mark.parametrize(
    ("header", "value", "status", "code"),
    [
        ("X-Deadline", "soon", 400, "invalid_deadline"),
        ("X-Deadline", "0.0", 400, "invalid_deadline"),
        ("X-Deadline", "0.000001", 504, "deadline_exceeded"),
        ("Content-Encoding", "gzip", 415, "encoded_body"),
    ],
)
def test_headers_are_checked_as_behind_nginx(server: control.Server, header: str, value: str, status: int, code: str) -> None:
    sent = headers(server) | {header: value}
    response = requests.post(f"{server.url}/predictions/classification", json={"inputs": "ab"}, headers=sent, timeout=30)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_a_body_that_is_too_large_is_refused(server: control.Server) -> None:
    response = requests.post(f"{server.url}/predictions/classification", data=b"x" * 2**21, headers=headers(server), timeout=30)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")


def test_pages_have_their_types_and_forbid_what_they_do_not_need(server: control.Server) -> None:
    types = dict.fromkeys(("/", "/docs", "/status"), "text/html")
    types |= {"/web/app.js": "javascript", "/web/style.css": "text/css"}
    for path, kind in types.items():
        response = requests.get(server.url + path, timeout=30)
        assert response.status_code == 200
        assert response.headers["Content-Type"].split(";")[0].endswith(kind)  # application/javascript or text/javascript
        assert {name: response.headers[name] for name in site.HEADERS} == site.HEADERS
    assert "unsafe" not in site.HEADERS["Content-Security-Policy"]


def test_the_document_names_the_models(server: control.Server) -> None:
    document = requests.get(f"{server.url}/openapi.json", timeout=30).json()
    models = {"/predictions/classification", "/predictions/generation"}
    assert set(document["paths"]) == {*models, "/feedback", "/feedback/{id}"}
    assert "x-mlflow" not in document["info"]


def test_metrics_need_the_key(server: control.Server) -> None:
    requests.post(f"{server.url}/predictions/classification", json={"inputs": "Rossi"}, headers=headers(server), timeout=30)
    text = requests.get(f"{server.url}/metrics", headers=headers(server), timeout=30).text
    counted = re.search(r'^seqline_request_seconds_count\{model="classification",version="[^"]+"\} (\S+)$', text, re.MULTILINE)
    assert counted
    assert float(counted[1]) >= 1


async def stream(request: web.Request) -> web.StreamResponse:
    """A model that pauses between the lines of its answer; `broken` ends in the middle."""
    response = web.StreamResponse(headers={VERSION: "1-0"})
    await response.prepare(request)
    for number in range(3):
        await response.write(b"%d\n" % number)
        await asyncio.sleep(PAUSE_S)
    if request.match_info["model"] == "broken" and request.transport:
        request.transport.abort()
    return response


async def streamed(folder: Path, model: str) -> list[tuple[float, bytes]]:
    """The pieces of an answer that comes through a gateway, and when each arrived."""
    (folder / "site/web").mkdir(parents=True)
    (folder / "key_file.json").write_text(json.dumps({name: {"key": "right"} for name in ("management", "inference")}))
    upstream = web.Application()
    upstream.router.add_post("/predictions/{model}", stream)
    async with TestServer(upstream) as behind:
        gateway = Gateway(Instance(folder), behind.port or 0, "", 10.0, Keeping(folder / "records.sqlite"))
        async with TestClient(TestServer(gateway.application())) as client:
            answer = await client.post(f"/predictions/{model}", data=b"{}", headers={"Authorization": "Bearer right"})
            return [(time.monotonic(), piece) async for piece in answer.content.iter_any()]


def test_a_streamed_answer_arrives_in_pieces(tmp_path: Path) -> None:
    pieces = asyncio.run(streamed(tmp_path, "model"))
    assert [piece for _, piece in pieces] == [b"0\n", b"1\n", b"2\n"]
    assert pieces[-1][0] - pieces[0][0] > PAUSE_S


def test_a_stream_that_breaks_off_does_not_look_whole(tmp_path: Path) -> None:
    with pytest.raises(ClientError):
        asyncio.run(streamed(tmp_path, "broken"))


def test_pipelined_requests_get_their_answers_in_order(server: control.Server) -> None:
    texts = ["Rossi", "Müller", "O'Neill", "Kowalski"]
    name, value = next(iter(headers(server).items()))
    raw = b""
    for text in texts:
        body = json.dumps({"inputs": text}).encode()
        raw += f"POST /predictions/classification HTTP/1.1\r\nHost: x\r\n{name}: {value}\r\n".encode()
        raw += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    with socket.create_connection(("127.0.0.1", server.state.port), 30) as connection:
        connection.sendall(raw)
        received = b""
        while received.count(b"]") < len(texts) and (more := connection.recv(65536)):
            received += more
    answers = [json.loads(line) for line in re.findall(rb"^\[.*?\]", received, re.MULTILINE)]
    with Client(server.url, value.removeprefix("Bearer ")) as client:
        alone = [json.loads(client.send("classification", json.dumps({"inputs": text}).encode())) for text in texts]
    assert [a[0]["label"] for a in answers] == [a[0]["label"] for a in alone]
    assert [a[0]["score"] for a in answers] == pytest.approx([a[0]["score"] for a in alone], abs=1e-5)


class Addresses(HTMLParser):
    """The addresses that a page loads, and its scripts and styles that have none."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert "style" not in values
        assert not any(name.startswith("on") for name in values)
        if tag in ("script", "link", "img"):
            self.found.append(values.get("src") or values.get("href") or "inline")


@pytest.mark.parametrize("page", ["index.html", "docs.html", "status.html"])
def test_a_page_loads_its_own_files_alone(page: str) -> None:
    parser = Addresses()
    parser.feed((site.WEB / page).read_text(encoding="utf-8"))
    assert parser.found
    for address in parser.found:
        assert address.startswith("/web/")
        assert (site.WEB / address.removeprefix("/web/")).is_file()


def test_both_languages_have_the_same_words() -> None:
    text = (site.WEB / "words.js").read_text(encoding="utf-8")
    english, french = (re.findall(r"^  (\w+):", part, re.MULTILINE) for part in text.split("const FRENCH")[:2])
    assert english == french
    scripts = [path for path in site.WEB.rglob("*.js") if "vendor" not in path.parts]
    used = {
        word for path in scripts for word in re.findall(r"(?<![./\w])words\.(?!flatMap)(\w+)", path.read_text(encoding="utf-8"))
    }
    for page in site.WEB.glob("*.html"):
        used |= set(re.findall(r'data-words="(\w+)"', page.read_text(encoding="utf-8")))
    by_name = "mean probability threshold model requests wrong errors p50 p99 drift text lines json"
    assert set(english) == used | set(by_name.split())


def test_what_others_wrote_is_as_they_published_it() -> None:
    recorded = [line.split("  ") for line in (VENDOR / "SHA256SUMS").read_text(encoding="utf-8").splitlines()]
    files = sorted(path for path in VENDOR.iterdir() if path.name != "SHA256SUMS")
    assert [[sha256(path), path.name] for path in files] == sorted(recorded, key=lambda line: line[1])
    assert {"LICENSE", "NOTICE"} <= {path.name for path in files}
