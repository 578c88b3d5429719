"""A trial can be ended again if that has failed."""

from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from serving.server.errors import ControlError
from serving.server.instance import Instance, Served, State, Trial
from serving.server.ports import choose_ports
from serving.server.proxy import Proxy
from serving.server.torchserve import TorchServe
from serving.server.trials import canary

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
