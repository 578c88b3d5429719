"""Shadows and canaries on a running server under load: no request is lost, whatever the challenger does."""

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from asking import UNLUCKY, MakeStore, as_version, change_file, falsify
from waiting import until

from benchmarks.load.clients import Clients
from benchmarks.load.target import Target
from serving.bundle import GRAPH, Bundle
from serving.server import control
from serving.server.errors import ControlError
from serving.server.instance import Instance, Served, State
from serving.server.keys import TorchServeKeys
from serving.server.ports import HOST, choose_ports
from serving.server.proxy import Front, find_nginx
from serving.server.trials import canary, shadow
from serving.server.trials.canary import Patience
from serving.server.trials.gate import Gate
from serving.server.trials.running import start

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]
pytest.importorskip("ts")
try:
    find_nginx()
except ControlError as error:
    pytest.skip(str(error), allow_module_level=True)

MODEL = "classification"
GOOD = b'{"inputs": "ab"}'
LIST = b'{"inputs": ["Rossi", "Kelly", "ab"]}'
WRONG = b'{"inputs": 3}'
PATIENT = Gate(slower=1000)  # only failures count, on a machine that others use, too
SHORT = Patience(minutes=1, answers=60)


@pytest.fixture(scope="module")
def server(bundles: dict[str, Path], make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("trials")
    try:
        control.up(make_store(folder / "packaged", bundles[MODEL], bundles["generation"]), folder, 0, Front())
        yield Target.of(folder)
    finally:
        control.down(folder)


@pytest.fixture
def challenger(other: Callable[[float], Path], make_store: MakeStore, tmp_path: Path) -> Path:
    """The archive of another version, with the same classes."""
    return make_store(tmp_path / "packaged", other(1.0001)) / f"{MODEL}.mar"


@pytest.fixture
def different(bundles: dict[str, Path], make_store: MakeStore, tmp_path: Path) -> Path:
    """The archive of a version that gives every text another class."""
    folder = shutil.copytree(bundles[MODEL], tmp_path / "different" / MODEL)
    said = json.loads((folder / "bundle.json").read_text())
    kept = {name: said[name] for name in ("task", "kind", "max_length", "temperature")}
    Bundle.write(folder, **kept, labels=(*said["labels"][1:], said["labels"][0]))
    return make_store(tmp_path / "different", folder) / f"{MODEL}.mar"


@pytest.fixture
def failing(brittle: Path, make_store: MakeStore, tmp_path: Path) -> Path:
    """The archive of a version that answers long texts with status 500."""
    return make_store(tmp_path / "packaged", brittle) / f"{MODEL}.mar"


def managed(server: Target, path: str) -> Any:
    """What TorchServe says about a model."""
    keys = TorchServeKeys.read(Instance(server.folder).keys)
    url, headers = f"http://{HOST}:{server.state.ports.management}/models/{path}", {"Authorization": f"Bearer {keys.management}"}
    return requests.get(url, headers=headers, timeout=30).json()


def version(server: Target, body: bytes = GOOD) -> str:
    return server.ask(MODEL, body).headers["X-Model-Version"]


def loaded(server: Target) -> set[str]:
    """The versions that TorchServe has loaded."""
    return {one["modelVersion"] for one in managed(server, f"{MODEL}/all")}


def workers(server: Target, found: str) -> list[int]:
    """The process ids of the workers of a version."""
    described = managed(server, f"{MODEL}/{found}")
    return [one["pid"] for one in described[0]["workers"]] if isinstance(described, list) else []


def run(archive: Path, server: Target, share: float, gate: Gate = PATIENT, patience: Patience = SHORT) -> canary.Outcome:
    return canary.run(archive, share, server.folder, gate, patience)


def test_a_shadow_of_the_same_model_agrees_and_loses_no_request(server: Target, challenger: Path) -> None:
    before = loaded(server)
    with Clients(server, MODEL, GOOD) as load:
        trial = start("shadow", challenger, 1.0, server.folder)
        with pytest.raises(ControlError, match=rf"the shadow {trial.version} of {MODEL} is running; end it first: `seqline sh"):
            start("canary", challenger, 0.1, server.folder)
        assert [server.ask(MODEL, LIST).status_code for _ in range(5)] == [200] * 5
        assert [server.ask(MODEL, WRONG).status_code for _ in range(5)] == [400] * 5
        seen = until(lambda: found if (found := shadow.compare(MODEL, server.folder)).pairs > 50 else None, "pairs")
        shadow.finish(MODEL, server.folder)
    assert load.failed == []
    assert (seen.agreement, seen.failed, seen.challenger) == (1.0, 0, trial.version)
    assert seen.champion_s
    assert seen.challenger_s
    assert 0 < seen.challenger_s.p50_s <= seen.challenger_s.p99_s < 5
    assert loaded(server) == before
    assert server.state.trials == {}
    with pytest.raises(ControlError, match="has no shadow; `seqline shadow classification@challenger` starts one"):
        shadow.compare(MODEL, server.folder)


def test_loading_a_version_holds_back_no_request(server: Target, challenger: Path) -> None:
    """On none of the connections to TorchServe, which has few threads for them."""
    over, slowest = threading.Event(), list[float]()
    url = f"http://{HOST}:{server.state.ports.inference}/predictions/{MODEL}"
    headers = {"Authorization": f"Bearer {TorchServeKeys.read(Instance(server.folder).keys).inference}"}

    def ask() -> None:
        with requests.Session() as session:
            while not over.is_set():
                began = time.monotonic()
                assert session.post(url, data=GOOD, headers=headers, timeout=30).status_code == 200
                slowest.append(time.monotonic() - began)

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask) for _ in range(8)]
        began = time.monotonic()
        try:
            start("shadow", challenger, 0.1, server.folder)
            took = time.monotonic() - began
            shadow.finish(MODEL, server.folder)
        finally:
            over.set()
        for one in asking:
            one.result()
    assert max(slowest) < took / 2


def test_a_shadow_of_another_model_disagrees_and_is_not_counted(server: Target, different: Path) -> None:
    trial = start("shadow", different, 1.0, server.folder)
    try:
        answers = [server.ask(MODEL, LIST) for _ in range(10)]
        seen = until(lambda: found if (found := shadow.compare(MODEL, server.folder)).pairs == 30 else None, "30 pairs")
        metrics = requests.get(f"http://{HOST}:{server.state.ports.exporter}/metrics", timeout=30).text
    finally:
        shadow.finish(MODEL, server.folder)
    assert seen.agreement == 0.0
    assert {answer.headers["X-Model-Version"] for answer in answers} == {seen.champion}
    assert [line for line in metrics.splitlines() if trial.version in line and not line.endswith(" 0.0")] == []


def test_a_shadow_streams_without_anybody_who_reads(
    server: Target, bundles: dict[str, Path], make_store: MakeStore, tmp_path: Path
) -> None:
    archive = make_store(tmp_path / "packaged", bundles["generation"], run="another") / "generation.mar"
    start("shadow", as_version(archive, "2-0a1b2c3d"), 1.0, server.folder)
    try:
        for seed in range(5):
            body = {"inputs": "Ro", "parameters": {"seed": seed, "stream": True}}
            assert server.ask("generation", json.dumps(body).encode()).status_code == 200
        seen = until(lambda: found if (found := shadow.compare("generation", server.folder)).pairs == 5 else None, "5 pairs")
    finally:
        shadow.finish("generation", server.folder)
    assert (seen.agreement, seen.failed) == (1.0, 0)


def test_a_shadow_that_hangs_delays_nobody(server: Target, challenger: Path) -> None:
    trial = start("shadow", challenger, 1.0, server.folder)
    try:
        for pid in workers(server, trial.version):
            os.kill(pid, signal.SIGSTOP)
        with requests.Session() as session:
            began = time.monotonic()
            for _ in range(10):
                url = f"{server.url}/predictions/{MODEL}"
                answer = session.post(url, data=GOOD, headers=server.headers(), verify=str(server.certificate), timeout=5)
                assert answer.status_code == 200
            assert time.monotonic() - began < 20  # waiting for the shadow would take 4 s each time
        assert until(lambda: shadow.compare(MODEL, server.folder).failed == 10, "the copies to be given up")
    finally:
        shadow.finish(MODEL, server.folder)


def test_a_canary_gets_its_share_and_passes(server: Target, challenger: Path) -> None:
    before = version(server)
    with Clients(server, MODEL, LIST) as load:
        outcome = run(challenger, server, 0.25, Gate())
    assert load.failed == []
    assert (outcome.reason, outcome.failed, outcome.champion) == (None, 0, before)
    log = [json.loads(line) for line in (server.folder / "logs/trials.log").read_text().splitlines()]
    shares = [line["version"] == outcome.challenger for line in log]
    assert 0.12 < sum(shares) / len(shares) < 0.4
    assert version(server) == before
    assert outcome.challenger not in loaded(server)


def test_a_canary_answers_lists_streams_and_wrong_requests(
    server: Target, bundles: dict[str, Path], make_store: MakeStore, tmp_path: Path
) -> None:
    archive = as_version(make_store(tmp_path / "packaged", bundles["generation"]) / "generation.mar", "3-0a1b2c3d")
    trial = start("canary", archive, 0.9, server.folder)
    bodies = {
        b'{"inputs": "Ro", "parameters": {"seed": 1, "stream": true}}': 200,
        b'{"inputs": ["Ro", "Mi"], "parameters": {"seed": 1}}': 200,
        WRONG: 400,
    }
    try:
        for body, status in bodies.items():
            answers = [server.ask("generation", body) for _ in range(8)]
            assert {answer.status_code for answer in answers} == {status}
            assert trial.version in {answer.headers["X-Model-Version"] for answer in answers}
            assert len({answer.text for answer in answers}) == 1
    finally:
        canary.stop("generation", server.folder)


def test_a_canary_that_answers_500_is_withdrawn(server: Target, failing: Path) -> None:
    with Clients(server, MODEL, json.dumps({"inputs": "a" * UNLUCKY}).encode()) as load:
        outcome = run(failing, server, 0.5)
    assert load.failed == []
    assert "got no answer" in (outcome.reason or "")
    assert outcome.failed >= 3
    assert server.state.trials == {}
    assert outcome.challenger not in loaded(server)


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL])
def test_a_canary_whose_worker_hangs_or_crashes_is_withdrawn(fault: signal.Signals, server: Target, challenger: Path) -> None:
    over = threading.Event()

    def harm() -> None:
        while not over.wait(0.2):
            trial = server.state.trials.get(MODEL)
            for pid in workers(server, trial.version) if trial else []:
                with suppress(ProcessLookupError):
                    os.kill(pid, fault)

    with ThreadPoolExecutor(1) as pool, Clients(server, MODEL, GOOD) as load:
        harming = pool.submit(harm)
        try:
            outcome = run(challenger, server, 0.3)
        finally:
            over.set()
        harming.result()
    assert load.failed == []
    assert "got no answer" in (outcome.reason or "")
    assert outcome.challenger not in loaded(server)


def test_deploying_the_version_on_trial_ends_the_trial(server: Target, challenger: Path, different: Path) -> None:
    first = version(server)
    with Clients(server, MODEL, GOOD) as load, ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, challenger, server, 0.2, patience=Patience(minutes=2))
        trial = until(lambda: server.state.trials.get(MODEL), "the canary to start")
        with Instance(server.folder).locked(30):  # after the command that starts it
            pass
        with pytest.raises(ControlError, match="is running; end it first: `seqline canary classification --stop`"):
            control.deploy(different, server.folder)
        served = control.deploy(challenger, server.folder)
        with pytest.raises(ControlError, match="was ended by another command"):
            running.result(60)
        assert (served.version, served.previous) == (trial.version, first)
        assert version(server) == trial.version
        assert server.state.trials == {}
        control.rollback(MODEL, server.folder)
        # The version for a rollback is loaded: its trial neither loads nor unloads it.
        start("shadow", challenger, 0.5, server.folder)
        with pytest.raises(ControlError, match="is running; end it first: `seqline shadow classification --stop`"):
            control.rollback(MODEL, server.folder)
        shadow.finish(MODEL, server.folder)
        assert loaded(server) == {first, trial.version}
    assert load.failed == []


def test_a_challenger_with_unexpected_answers_gets_no_request(server: Target, different: Path) -> None:
    falsify(different)
    before, files = loaded(server), (server.folder / "trials.conf").read_text()
    with pytest.raises(ControlError, match="does not give its expected answers"):
        start("canary", different, 0.5, server.folder)
    assert (loaded(server), server.state.trials, (server.folder / "trials.conf").read_text()) == (before, {}, files)


def test_a_challenger_that_does_not_load_is_an_error(server: Target, challenger: Path) -> None:
    change_file(as_version(challenger, "9-0a1b2c3d"), GRAPH, lambda _: b"")
    before = loaded(server)
    for _ in range(2):  # an error in the log of before is not the new one
        with pytest.raises(ControlError, match=rf"of {MODEL} does not load: .*BundleError: .*model\.onnx"):
            start("canary", challenger, 0.5, server.folder)
        assert (loaded(server), server.state.trials) == (before, {})


def test_the_active_version_cannot_be_its_own_challenger(server: Target) -> None:
    with pytest.raises(ControlError, match="is the one that answers"):
        start("shadow", server.folder / f"packaged/{MODEL}.mar", 0.5, server.folder)
    with pytest.raises(ControlError, match="the server has no model none"):
        start("shadow", server.folder / "packaged/none.mar", 0.5, server.folder)


def test_without_a_proxy_there_are_no_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = Instance(tmp_path)
    instance.note(
        State(ports=choose_ports(0), proxied=False, records=tmp_path / "records.sqlite", models={MODEL: Served(version="1-a")})
    )
    monkeypatch.setattr(Instance, "processes", lambda _: [psutil.Process()])
    with pytest.raises(ControlError, match="needs the proxy; start the server with `seqline up --proxy`"):
        start("shadow", tmp_path / f"{MODEL}.mar", 0.5, tmp_path)
    with pytest.raises(ControlError, match="needs the proxy"):
        shadow.compare(MODEL, tmp_path)
