"""A results file contains everything needed to reproduce its figures."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from pipelines.report import record as module
from pipelines.report.record import record
from serving.cpu import instruction_sets


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    return tmp_path


def content(results: Path) -> dict[str, Any]:
    written: dict[str, Any] = json.loads((results / "bench.json").read_text(encoding="utf-8"))
    return written


def test_versions_are_those_installed_or_those_given(results: Path) -> None:
    record("bench", "make bench", ["numpy", "no-such-package==2.3.0"], {"speed": 1.0})
    versions = content(results)["versions"]
    assert (versions["numpy"], versions["no-such-package"]) == (version("numpy"), "2.3.0")


def test_figures_that_are_not_remeasured_keep_their_commit(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for commit, figures in (("first", {"speed": 1.0, "memory": 2.0}), ("second", {"speed": 3.0}), ("third", {"speed": 4.0})):
        monkeypatch.setattr(module, "head", lambda commit=commit: commit)
        record("bench", "make bench", [], figures)
    assert content(results)["figures"] == {"memory": 2.0, "speed": 4.0}
    assert content(results)["earlier"] == {"memory": "first"}


def test_figures_from_another_machine_keep_that_machine(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for machine, figures in (("gpu", {"speed": 1.0}), ("laptop", {"memory": 2.0}), ("desktop", {"size": 3.0, "memory": 4.0})):
        monkeypatch.setattr(module, "hardware", lambda machine=machine: {"cpu": machine})
        record("bench", "make bench", [], figures)
    assert content(results)["hardware"] == {"cpu": "desktop"}
    assert content(results)["elsewhere"] == {"speed": {"cpu": "gpu"}}


def test_the_hardware_lists_instruction_sets_and_their_limits(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in module.LIMITS:
        monkeypatch.delenv(name, raising=False)
    record("bench", "make bench", [], {"speed": 1.0})
    assert content(results)["hardware"]["isa"] == instruction_sets()
    assert "environment" not in content(results)["hardware"]
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    record("bench", "make bench", [], {"speed": 1.0})
    assert content(results)["hardware"]["environment"] == {"ATEN_CPU_CAPABILITY": "avx2"}


def test_a_system_without_cpuinfo_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "INFO", tmp_path / "missing")
    monkeypatch.setattr(module, "instruction_sets", lambda: instruction_sets(tmp_path / "missing"))
    assert module.hardware()["isa"] == []
