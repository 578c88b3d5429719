"""A trial can be ended again if that has failed, and a canary does not stay open unwatched."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from waiting import until

from serving.server.errors import ControlError
from serving.server.instance import Instance, Served, State, Trial
from serving.server.ports import choose_ports
from serving.server.proxy import Proxy
from serving.server.torchserve import TorchServe
from serving.server.trials import canary
from serving.server.trials.gate import Gate

MODEL = "m"
TRIAL = Trial(kind="canary", version="2-b", share=0.1, since=0.0)


@dataclass
class Around:
    """What is around a trial.

    Attributes:
        instance: folder of the server.
        failures: how often nginx still fails.
        split: trials of which nginx was told, each time.
        unloaded: versions that TorchServe has unloaded.
    """

    instance: Instance
    failures: int = 0
    split: list[list[str]] = field(default_factory=list)
    unloaded: list[str] = field(default_factory=list)

    def settings(self, trials: dict[str, Trial]) -> None:
        self.failures -= 1
        if self.failures >= 0:
            raise ControlError("nginx failed")
        self.split.append(list(trials))

    @property
    def trials(self) -> dict[str, Trial]:
        return self.instance.state().trials


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Around:
    instance = Instance(tmp_path)
    models = {MODEL: Served(version="1-a")}
    instance.note(State(ports=choose_ports(0), proxied=True, records=instance.records, models=models, trials={MODEL: TRIAL}))
    around = Around(instance)
    monkeypatch.setattr(Instance, "processes", lambda _: [psutil.Process()])
    monkeypatch.setattr(Proxy, "split", lambda _, trials: around.settings(trials))
    monkeypatch.setattr(TorchServe, "of", lambda *_: TorchServe.__new__(TorchServe))
    monkeypatch.setattr(TorchServe, "unregister", lambda _, __, version: around.unloaded.append(version))
    return around


def test_an_end_that_failed_can_be_tried_again(around: Around) -> None:
    around.failures = 1
    with pytest.raises(ControlError, match="nginx failed"):
        canary.stop(MODEL, around.instance.folder)
    assert around.trials == {MODEL: TRIAL}
    canary.stop(MODEL, around.instance.folder)
    assert (around.trials, around.split, around.unloaded) == ({}, [[]], ["2-b"])


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> canary.Outcome:
    """What a canary that has started shows at once."""
    shown = canary.Outcome("1-a", "2-b", "it is slow", 5, 0, None, None)
    monkeypatch.setattr(canary, "start", lambda *_: TRIAL)
    monkeypatch.setattr(canary, "_watch", lambda *_: shown)
    monkeypatch.setattr(canary, "WAIT_S", 0.0)
    monkeypatch.setattr(canary, "PAUSE_S", 0.01)
    return shown


def run(around: Around) -> canary.Outcome:
    folder = around.instance.folder
    return canary.run(folder / f"{MODEL}.mar", 0.1, folder, Gate(), canary.Patience())


def test_a_canary_is_withdrawn_after_another_command(
    around: Around, outcome: canary.Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with around.instance.locked():
            running = pool.submit(run, around)
            until(lambda: "the canary 2-b of m still gets requests" in caplog.text, "the canary to find the lock")
        assert running.result(30) == outcome
    assert "another command is running" in caplog.text
    assert (around.trials, around.unloaded) == ({}, ["2-b"])


def test_a_canary_is_withdrawn_although_nginx_failed(around: Around, outcome: canary.Outcome) -> None:
    around.failures = 2
    assert run(around) == outcome
    assert (around.trials, around.unloaded) == ({}, ["2-b"])


@pytest.mark.usefixtures("outcome")
def test_a_canary_ends_with_its_server(around: Around, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Instance, "processes", lambda _: [])
    around.failures = 10**9
    assert run(around).reason == "it is slow"
