"""The commands for trials, with a challenger from a real registry."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from asking import SEQLINE, MakeStore, as_version
from registering import point, register, tags
from waiting import until

from benchmarks.load.clients import Clients
from benchmarks.load.target import Target
from serving.server import control
from serving.server.errors import ControlError
from serving.server.instance import Instance
from serving.server.proxy import Front, find_nginx

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]
pytest.importorskip("ts")
pytest.importorskip("mlflow")
try:
    find_nginx()
except ControlError as error:
    pytest.skip(str(error), allow_module_level=True)

MODEL, SECOND = "classification", "2-0a1b2c3d"
GOOD = b'{"inputs": "ab"}'


@pytest.fixture(scope="module")
def server(bundles: dict[str, Path], make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server of version 1 of a model; the registry in its folder has version 2, too, as the challenger."""
    folder = tmp_path_factory.mktemp("verbs")
    before, uri = Path.cwd(), f"sqlite:///{folder}/mlflow.db"
    try:
        store = make_store(folder / "packaged", bundles[MODEL])
        control.up(store, folder, 0, Front())
        os.chdir(folder)  # MLflow puts artifacts there
        register(uri, MODEL)
        archive = as_version(make_store(folder / "second", bundles[MODEL]) / f"{MODEL}.mar", SECOND)
        point(uri, MODEL, "challenger", register(uri, MODEL, archive, SECOND))
        yield Target.of(folder)
    finally:
        os.chdir(before)
        control.down(folder)


@pytest.fixture
def seqline(server: Target) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command(server, *arguments), capture_output=True, text=True, check=False)

    return run


def command(server: Target, *arguments: str) -> list[str]:
    return [*SEQLINE, *arguments, "--instance", str(server.folder), "--tracking", f"sqlite:///{server.folder}/mlflow.db"]


def tag(server: Target, key: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(tags(f"sqlite:///{server.folder}/mlflow.db", MODEL, "2")[key])
    return found


def test_a_shadow_reports_and_its_result_is_in_the_registry(
    server: Target, seqline: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    started = seqline("shadow", f"{MODEL}@challenger", "--share", "1")
    assert (started.returncode, started.stderr) == (0, "")
    assert started.stdout == f"{MODEL} {SECOND} gets copies of 100.0% of the requests; `seqline shadow {MODEL}` reports\n"
    for _ in range(5):
        server.ask(MODEL, GOOD)
    both = "5 inputs answered by both, 100.0% with the same answer"
    until(lambda: both in seqline("shadow", MODEL).stdout, "the copies to be answered")
    assert "error: --stop takes the model alone" in seqline("shadow", f"{MODEL}@challenger", "--stop").stderr
    report = seqline("shadow", MODEL, "--stop").stdout
    assert "5 copies, 0 without an answer" in report
    assert both in report
    assert f"the shadow {SECOND} of {MODEL} has ended" in report
    result = tag(server, "shadow")
    assert {name: result[name] for name in ("challenger", "copies", "failed", "pairs", "agreement")} == {
        "challenger": SECOND,
        "copies": 5,
        "failed": 0,
        "pairs": 5,
        "agreement": 1.0,
    }
    again = seqline("shadow", MODEL)
    assert (again.returncode, again.stderr) == (
        1,
        f"error: {MODEL} has no shadow; `seqline shadow {MODEL}@challenger` starts one\n",
    )


def test_a_canary_passes_under_load(server: Target, seqline: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    with Clients(server, MODEL, GOOD) as load:
        done = seqline("canary", f"{MODEL}@2", "--share", "0.4", "--requests", "50", "--slower", "1000")
    assert load.failed == []
    assert done.returncode == 0, done.stderr + done.stdout
    assert f"{MODEL} {SECOND} passed: " in done.stdout
    assert (tag(server, "canary")["reason"], tag(server, "canary")["failed"]) == (None, 0)


def test_a_canary_without_requests_does_not_pass(
    server: Target, seqline: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = seqline("canary", f"{MODEL}@challenger", "--minutes", "0.02")
    assert done.returncode == 1
    assert f"{MODEL} {SECOND} is withdrawn: too few answers to compare" in done.stdout
    assert server.state.trials == {}


@pytest.mark.parametrize("interrupt", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_canary_ends(interrupt: signal.Signals, server: Target) -> None:
    def heed() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # which jobs of a shell in the background ignore

    with (
        Clients(server, MODEL, GOOD) as load,
        subprocess.Popen(command(server, "canary", f"{MODEL}@challenger"), preexec_fn=heed) as canary,
    ):
        until(lambda: server.state.trials, "the canary to start")
        with Instance(server.folder).locked(60):  # after it has started
            pass
        canary.send_signal(interrupt)
    assert canary.returncode == 128 + interrupt
    assert load.failed == []
    assert server.state.trials == {}
    assert SECOND not in (server.folder / "trials.conf").read_text()


def test_a_canary_whose_command_was_killed_can_be_ended(
    server: Target, seqline: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with subprocess.Popen(command(server, "canary", f"{MODEL}@challenger")) as canary:
        until(lambda: server.state.trials, "the canary to start")
        with Instance(server.folder).locked(60):
            pass
        canary.kill()
    assert list(server.state.trials) == [MODEL]
    without = seqline("canary", MODEL)
    assert without.stderr.startswith(f"error: name the version, such as {MODEL}@challenger")
    assert seqline("canary", MODEL, "--stop").stdout == f"the canary of {MODEL} has ended\n"
    assert server.state.trials == {}


def test_a_version_is_deployed_from_the_registry(
    server: Target, seqline: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    assert "version 1 of classification has no archive" in seqline("deploy", f"{MODEL}@1").stderr
    assert (
        "classification has no version champion; there is 1, 2, challenger (2)" in seqline("deploy", f"{MODEL}@champion").stderr
    )
    assert seqline("deploy", f"{MODEL}@challenger").stdout.startswith(f"{MODEL} {SECOND} is now active; 1-")
    assert server.ask(MODEL, GOOD).headers["X-Model-Version"] == SECOND
    control.rollback(MODEL, server.folder)
