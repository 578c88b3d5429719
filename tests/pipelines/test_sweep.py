"""The search for better settings: what it may try, that it finds, goes on, prunes, and what it leaves."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest
import yaml
from mlflow import MlflowClient

from pipelines import sweep as module
from pipelines.params import Params, load_params, read_settings
from pipelines.settings.sweep import Sweep
from pipelines.stage import StageError, run_stage
from pipelines.sweep import sweep
from pipelines.sweeping.space import Space

pytestmark = pytest.mark.usefixtures("place")

ROOT = Path(__file__).parents[2]
SETTINGS: dict[str, Any] = {
    "task": "names",
    "trials": 5,
    "random_trials": 2,
    "unpruned_epochs": 4,
    "seed": 1,
    "keys": {
        "train.learning_rate": {"low": 0.00001, "high": 0.1, "log": True},
        "model.hidden_size": {"low": 4, "high": 16},
        "model.cell": {"choices": ["gru", "rnn"]},
        "model.tied": {"choices": [False, True]},
    },
}

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
SWEEP = """
import sys
sys.modules["mlflow"] = None
from pipelines.sweep import sweep
sweep("small")
"""


@pytest.fixture
def place(small_params: Params, prepared: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small prepared names and a small sweep over them, where MLflow is not installed."""
    content = small_params.model_dump(by_alias=True)
    content["names"]["train"] |= {"epochs": 4, "patience": 4, "batch_units": 60}
    for folder in ("data/prepared", "profiles", "pipelines/sweeps"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "data/prepared/names").symlink_to(prepared["names"])
    shutil.copy(ROOT / "data/catalogue.yaml", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    write()
    return tmp_path


@pytest.fixture
def tracked(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same with MLflow, and a database for the runs."""
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place}/runs.db")
    yield place
    mlflow.set_tracking_uri(None)


def write(**changed: Any) -> None:
    Path("pipelines/sweeps/small.yaml").write_text(yaml.safe_dump({**SETTINGS, **changed}))


def trials() -> list[optuna.trial.FrozenTrial]:
    """Those that ended, of all studies."""
    storage = "sqlite:///.checkpoints/sweeps/small.db"
    names = optuna.get_all_study_names(storage)
    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return [trial for name in names for trial in optuna.load_study(study_name=name, storage=storage).get_trials(states=ended)]


def found() -> dict[str, Any]:
    """The profile's values as params.yaml would have them."""
    lines = [line for line in Path("profiles/best-small.txt").read_text().splitlines() if not line.startswith("#")]
    return {key: yaml.safe_load(value) for key, value in (line.split("=") for line in lines)}


def losses() -> list[float]:
    return [trial.value for trial in trials() if trial.value is not None]


@pytest.mark.slow
def test_it_finds_better_values_than_the_worst_and_params_yaml_takes_them() -> None:
    assert sweep("small") == Path("profiles/best-small.txt")
    assert len(trials()) == 5
    assert min(losses()) < max(losses())
    assert f"validation loss {min(losses()):.4f}, the lowest of 5 trials" in Path("profiles/best-small.txt").read_text()
    values = found()
    assert set(values) == {f"names.{key}" for key in SETTINGS["keys"]}
    content = yaml.safe_load(Path("params.yaml").read_text())
    for key, value in values.items():
        task, block, name = key.split(".")
        assert type(value) is type(content[task][block][name])
        content[task][block][name] = value
    Params.model_validate(content)


def test_the_first_trial_is_what_params_yaml_has_where_that_is_searched() -> None:
    write(trials=1)
    sweep("small")
    model, train = load_params().names.model, load_params().names.train
    assert found() == {
        "names.train.learning_rate": train.learning_rate,
        "names.model.hidden_size": model.hidden_size,
        "names.model.cell": model.cell,
        "names.model.tied": model.tied,
    }
    write(trials=1, keys={"model.hidden_size": {"low": 4, "high": model.hidden_size - 1}})
    sweep("small")
    assert 4 <= found()["names.model.hidden_size"] < model.hidden_size


@pytest.mark.pipeline
@pytest.mark.parametrize("first", [True, False], ids=["the first", "a later one"])
def test_stopped_in_a_trial_and_started_again_it_ends_like_one_that_was_not(*, first: bool) -> None:
    write(random_trials=1)
    sweep("small")
    undisturbed, profile = [(t.params, t.value) for t in trials()], Path("profiles/best-small.txt").read_text()
    shutil.rmtree(".checkpoints")
    with subprocess.Popen([sys.executable, "-c", SWEEP], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        if first:
            while not list(Path(".checkpoints/sweeps/small").glob("*/last.ckpt")):
                assert victim.poll() is None
        else:
            assert any("trial 2 of 5" in line for line in victim.stdout)
        victim.send_signal(signal.SIGKILL)
    assert len(trials()) < 5
    sweep("small")
    assert [(t.params, t.value) for t in trials()] == undisturbed
    assert Path("profiles/best-small.txt").read_text() == profile


def test_more_trials_are_added_to_those_there_are_and_other_settings_begin_anew() -> None:
    write(trials=2)
    sweep("small")
    first = [trial.params for trial in trials()]
    write(trials=3)
    sweep("small")
    assert [trial.params for trial in trials()][:2] == first
    assert len(trials()) == 3
    write(trials=1, seed=2)
    sweep("small")
    assert len(trials()) == 4


def test_a_trial_that_falls_behind_is_pruned() -> None:
    rates = {"train.learning_rate": {"choices": [0.005, 0.0000001]}}
    write(trials=8, random_trials=1, unpruned_epochs=1, keys=rates)
    sweep("small")
    pruned = [trial for trial in trials() if trial.state == optuna.trial.TrialState.PRUNED]
    assert pruned
    assert {trial.params["train.learning_rate"] for trial in pruned} == {0.0000001}
    assert all(len(trial.intermediate_values) < 4 for trial in pruned)
    assert found() == {"names.train.learning_rate": 0.005}


def test_trials_that_come_to_nothing_end_only_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    fit, calls = module.fit, []

    def unlucky(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) % 2:
            raise ValueError("the loss is not finite")
        return fit(*arguments)

    monkeypatch.setattr(module, "fit", unlucky)
    write(trials=2)
    sweep("small")
    assert len(losses()) == 1
    write(trials=1, seed=3)
    with pytest.raises(StageError, match="none of the 1 trials came to its end; the last failed: the loss is not finite"):
        sweep("small")


@pytest.mark.pipeline
@pytest.mark.usefixtures("tracked")
def test_its_runs_are_nested_and_the_best_is_marked() -> None:
    write(trials=2)
    sweep("small")
    write(trials=3)
    sweep("small")  # another process would do the same: the parent is the sweep's
    client = MlflowClient()
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    (parent,) = (run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    children = {run.info.run_name: run for run in runs if run is not parent}
    assert parent.info.run_name.startswith("sweep small")
    assert set(children) == {f"trial-{number}@names" for number in range(3)}
    assert {run.data.tags["mlflow.parentRunId"] for run in children.values()} == {parent.info.run_id}
    assert {run.info.status for run in children.values()} == {"FINISHED"}
    (best,) = (run for run in children.values() if run.data.tags["best"] == "true")
    history = client.get_metric_history(best.info.run_id, "valid_loss")
    assert [metric.step for metric in history] == [1, 2, 3, 4]
    assert min(metric.value for metric in history) == pytest.approx(min(losses()))
    assert float(best.data.params["train.learning_rate"]) == found()["names.train.learning_rate"]


def test_it_never_reads_the_test_split(prepared: dict[str, Path]) -> None:
    Path("data/prepared/names").unlink()
    shutil.copytree(prepared["names"], "data/prepared/names")
    shutil.rmtree("data/prepared/names/test")
    write(trials=2)
    sweep("small")
    assert len(losses()) == 2


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            {"train.lerning_rate": {"low": 0.1, "high": 0.2}},
            "'train.lerning_rate' is no key .* did you mean 'train.learning_rate'",
        ),
        ({"prepare.max_length": {"low": 10, "high": 20}}, "'prepare.max_length' is no key of the task's model or train"),
        ({"model.dropout": {"low": 0.5, "high": 1.5}}, r"model.dropout: names.model.dropout = 1.5: input should be less than 1"),
        ({"model.hidden_size": {"low": 0.5, "high": 8}}, r"names.model.hidden_size = 0.5: input should be a valid integer"),
        ({"model.cell": {"choices": ["gru", "tree"]}}, r"names.model.cell = 'tree': must be 'rnn', "),
        ({"model.cell": {"choices": ["gru"]}}, "choices"),
        ({"model.dropout": {"low": 0.5, "high": 0.5}}, "low = 0.5 has to be below high = 0.5"),
        ({"model.dropout": {"low": 0.0, "high": 0.5, "log": True}}, "low = 0.0 has to be above 0 where log is true"),
        ({"model.dropout": {"lo": 0.0, "high": 0.5}}, "unknown key 'lo'; did you mean 'low'"),
        ({}, "keys = {}"),
    ],
)
def test_what_params_yaml_would_refuse_is_refused_before_any_trial(keys: dict[str, Any], told: str) -> None:
    write(keys=keys)
    with pytest.raises(StageError, match=rf"pipelines/sweeps/small.yaml: .*{told}") as error:
        sweep("small")
    assert "\n" not in str(error.value)
    assert not Path(".checkpoints").exists()


def test_a_wrong_name_and_missing_data_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StageError, match="there is no sweep 'smal'; did you mean 'small'"):
        sweep("smal")
    Path("data/prepared/names").unlink()
    monkeypatch.setattr(sys, "argv", ["sweep", "small"])
    with pytest.raises(SystemExit):
        run_stage(module.main)
    assert capsys.readouterr().err == "error: data/prepared/names is missing; `dvc repro` makes it from the stages before\n"


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines/sweeps").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_sweeps_that_there_are_search_what_params_yaml_takes(path: Path) -> None:
    space = Space(read_settings(path, Sweep), load_params(ROOT / "params.yaml"), str(path))
    assert space.present() is not None
