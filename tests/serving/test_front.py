"""A proxy configured as in a container, with keys from a file and a public address; and a model that fails."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests
from asking import SEQLINE, UNLUCKY, WRONG_HERE, MakeStore, falsify
from waiting import until

from benchmarks.load.target import Target
from serving.server import control
from serving.server.errors import ControlError
from serving.server.instance import Instance
from serving.server.ports import HOST, Address
from serving.server.proxy import Front, Proxy, find_nginx

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]
pytest.importorskip("ts")
try:
    find_nginx()
except ControlError as error:
    pytest.skip(str(error), allow_module_level=True)

FIRST, SECOND, THIRD = ("a" * 40, "b" * 40, "c" * 40)
GOOD = b'{"inputs": "ab"}'


@pytest.fixture(scope="module")
def front(brittle: Path, make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server that listens on all addresses, with keys from a file."""
    folder = tmp_path_factory.mktemp("front") / "é #? %20 '{};,"
    folder.mkdir()
    (folder / "keys").write_text(f"{FIRST}\n")
    with socket.socket() as free:
        free.bind((HOST, 0))
        exporter = Address(HOST, free.getsockname()[1])
    try:
        everywhere = Front(address="0.0.0.0", keys=folder / "keys")  # noqa: S104 - tested here
        control.up(make_store(folder / "packaged", brittle), folder, 0, everywhere, exporter)
        assert Instance(folder).state().ports.exporter == exporter.port
        yield Target.of(folder)
    finally:
        control.down(folder)


def counted(server: Target) -> int:
    """The number of requests in the Prometheus metrics."""
    text = requests.get(f"http://{HOST}:{server.state.ports.exporter}/metrics", timeout=30).text
    return int(sum(float(value) for value in re.findall(r"^seqline_requests_total\{.*\} (\S+)", text, re.MULTILINE)))


def test_a_models_own_failure_is_passed_on_and_not_retried(front: Target) -> None:
    response = front.ask("classification", json.dumps({"inputs": "a" * UNLUCKY}).encode())
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert front.ask("classification", GOOD).status_code == 200

    def failures() -> list[str]:
        lines = [json.loads(line) for line in (front.folder / "logs/access.log").read_text().splitlines()]
        return [line["tries"] for line in lines if line["status"] == 500]

    assert until(failures, "the log to be written") == ["500"]


def test_a_model_that_fails_on_one_text_answers_the_others(front: Target) -> None:
    unlucky = json.dumps({"inputs": "a" * UNLUCKY}).encode()
    with ThreadPoolExecutor(12) as pool:  # half of the concurrency limit
        asked = [pool.submit(front.ask, "classification", body) for body in 8 * (GOOD, unlucky, GOOD)]
        statuses = [request.result().status_code for request in asked]
    assert statuses == 8 * [200, 500, 200]


def test_probes_are_not_counted_and_clients_cannot_send_them(front: Target) -> None:
    before = counted(front)
    assert all(health.ready for health in control.status(front.folder).values())
    assert counted(front) == before
    assert front.ask("classification", GOOD, {"X-Probe": "1"}).status_code == 200
    assert counted(front) == before + 1


def test_status_reports_a_model_with_unexpected_answers(front: Target) -> None:
    (path,) = (front.folder / "store").glob("classification-*.mar")
    whole, command = path.read_bytes(), [*SEQLINE, "status", "--instance", str(front.folder)]
    falsify(path)
    try:
        (health,) = control.status(front.folder).values()
        printed = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        path.write_bytes(whole)
    assert re.search(WRONG_HERE, health.fault or "")
    assert printed.returncode == 1
    assert printed.stdout.splitlines() == [f"classification {health.version}  not ready", f"  {health.fault}"]
    assert [health.ready for health in control.status(front.folder).values()] == [True]


def test_other_machines_reach_the_proxy_but_not_torchserve(front: Target) -> None:
    others = {a.address for found in psutil.net_if_addrs().values() for a in found if a.family == socket.AF_INET} - {HOST}
    if not others:
        pytest.skip("this machine has no address but the loopback one")
    ports = front.state.ports
    for name, port in ports.model_dump().items():
        with socket.socket() as asking:
            asking.settimeout(5)
            reached = asking.connect_ex((min(others), port)) == 0
        assert reached == (name == "front"), name


def test_keys_can_be_changed_in_the_key_file(front: Target) -> None:
    file = front.folder / "keys"

    def opens(key: str) -> int:
        return front.ask("classification", GOOD, {"Authorization": f"Bearer {key}"}).status_code

    assert (opens(FIRST), opens(SECOND)) == (200, 401)
    file.write_text(f"{FIRST}\n{SECOND}\n")
    control.rotate(front.folder)
    assert (opens(FIRST), opens(SECOND), opens(THIRD)) == (200, 200, 401)
    file.write_text(f"{SECOND}\n{THIRD}\n")
    control.rotate(front.folder)
    assert (opens(FIRST), opens(SECOND), opens(THIRD)) == (401, 200, 200)
    file.write_text("short\n")
    with pytest.raises(ControlError, match="must contain one key"):
        control.rotate(front.folder)
    assert opens(THIRD) == 200


@pytest.mark.parametrize("name", ["a$b", 'a"b', "a\\b", "a\nb"])
def test_a_path_that_nginx_cannot_quote_is_refused_before_anything_starts(name: str, tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="nginx does not support paths with"):
        Front().check(tmp_path / name)
    with pytest.raises(ControlError, match="nginx does not support paths with"):
        Front(access_log=tmp_path / name).check(tmp_path)
    Front().check(tmp_path / "a b'#?%41{};é")


@pytest.mark.parametrize("content", ["", "short", '"; return 200; "' * 3, f"{FIRST}\n{SECOND}\n{THIRD}"])
def test_an_invalid_key_file_is_refused_before_anything_starts(
    content: str, brittle: Path, make_store: MakeStore, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text(content)
    store = make_store(tmp_path / "packaged", brittle)
    with pytest.raises(ControlError, match="must contain one key") as caught:
        control.up(store, tmp_path, 0, Front(keys=tmp_path / "keys"))
    assert not content or content not in str(caught.value)
    assert not Instance(tmp_path).processes()
    assert not Proxy(Instance(tmp_path)).processes()
