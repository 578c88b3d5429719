"""The study of surname classifiers: its scores equal scikit-learn's, its interval is correct, its stages fit together."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import shipped
from sklearn.metrics import f1_score

from pipelines.settings.params import Params, read_settings
from pipelines.stage import StageError
from pipelines.studies.surnames import classify, table
from pipelines.studies.surnames.scores import gain, macro_f1
from pipelines.studies.surnames.settings import SETTINGS, Network, SurnamesStudy


def test_macro_f1_equals_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        actual, predicted = rng.integers(6, size=(2, 40))
        labels = sorted(set(actual.tolist()))
        expected = f1_score(actual, predicted, labels=labels, average="macro", zero_division=0)
        assert macro_f1(actual, predicted, 6) == pytest.approx(expected)


def test_the_interval_contains_zero_only_for_equal_classifiers() -> None:
    rng = np.random.default_rng(0)
    actual = rng.integers(4, size=400)
    alike, better = (np.where(rng.random((3, 400)) < right, actual, (actual + 1) % 4) for right in (0.7, 0.9))
    baseline = np.where(rng.random(400) < 0.7, actual, (actual + 1) % 4)
    same, more = gain(actual, alike, baseline, 4, 300), gain(actual, better, baseline, 4, 300)
    assert same.low < 0 < same.high
    assert 0 < more.low < more.mean < more.high


@pytest.mark.parametrize("item", ["gru", "gru-both", "gru-both-x", "gru-left-1", "tree-both-1"])
def test_a_network_that_is_none_is_refused(item: str) -> None:
    assert str(Network.parse("lstm-one-2")) == "lstm-one-2"
    with pytest.raises(StageError, match=item):
        Network.parse(item)


def test_its_settings_are_those_of_the_file() -> None:
    assert len(read_settings(SETTINGS, SurnamesStudy).seeds) == 5


@pytest.fixture
def place(small_params: Params, prepared: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small prepared task, where both stages use small settings."""
    task = shipped.surname(small_params)
    task = task.model_copy(update={"train": task.train.model_copy(update={"epochs": 1})})
    params = small_params.model_copy(update={"tasks": {"surname": task}})
    few = SurnamesStudy(seeds=[1, 2], resamples=20)
    shutil.copytree(prepared["surname"], tmp_path / "data/prepared/surname")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(classify, "load_params", lambda: params)
    monkeypatch.setattr(classify, "threads", lambda: 1)
    for stage in (classify, table):
        monkeypatch.setattr(stage, "read_settings", lambda *_: few)
    return tmp_path


@pytest.mark.slow
def test_the_stages_write_a_table_and_figures(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded: dict[str, float] = {}
    monkeypatch.setattr(table, "record", lambda *arguments: recorded.update(arguments[-1]))
    for item in ("gru-one-1", "lstm-both-1"):
        classify.main(item)
    table.main("surnames")
    best = json.loads((place / "plots/studies/surnames/best.json").read_text(encoding="utf-8"))
    assert best["network"] in {"gru-one-1", "lstm-both-1"}
    assert recorded["surname_f1_minus_baseline_low"] <= recorded["surname_f1_minus_baseline_high"]
    lines = (place / "plots/studies/surnames/networks.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert (place / "plots/studies/surnames/networks.png").stat().st_size > 1000
