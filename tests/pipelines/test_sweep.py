"""Hyperparameter search: the search space, finding better values, resuming, pruning, and its outputs."""

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
import shipped
import yaml
from mlflow import MlflowClient

from pipelines.settings.params import Params, load_params, read_settings
from pipelines.stage import StageError, run_stage
from pipelines.sweep import search as module
from pipelines.sweep.search import sweep
from pipelines.sweep.settings import Sweep
from pipelines.sweep.space import Space
from pipelines.training.fit import fit

pytestmark = pytest.mark.usefixtures("place")

ROOT = Path(__file__).parents[2]
MANY = 12  # trials, so that a sweep can be killed before the last one
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
from pipelines.sweep.search import sweep
sweep("small")
"""


@pytest.fixture
def place(small_params: Params, prepared: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small prepared names and a small sweep over them, where MLflow is not installed."""
    content = small_params.model_dump(by_alias=True)
    content["tasks"]["names"]["train"] |= {"epochs": 4, "patience": 4, "batch_units": 60}
    for folder in ("data/prepared", "profiles", "pipelines/sweep"):
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
    """The same folder with MLflow, and a database for the runs."""
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place}/runs.db")
    yield place
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type] # None resets the address, but the type hints do not allow it


def write(**changed: Any) -> None:
    Path("pipelines/sweep/small.yaml").write_text(yaml.safe_dump({**SETTINGS, **changed}))


def trials() -> list[optuna.trial.FrozenTrial]:
    """The completed and pruned trials of all studies."""
    storage = "sqlite:///.checkpoints/sweeps/small.db"
    names = optuna.get_all_study_names(storage)
    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return [trial for name in names for trial in optuna.load_study(study_name=name, storage=storage).get_trials(states=ended)]


def found() -> dict[str, Any]:
    """The profile's values, parsed as in params.yaml."""
    lines = [line for line in Path("profiles/best-small.txt").read_text().splitlines() if not line.startswith("#")]
    return {key: yaml.safe_load(value) for key, value in (line.split("=") for line in lines)}


def losses() -> list[float]:
    return [trial.value for trial in trials() if trial.value is not None]


@pytest.mark.slow
def test_the_best_values_beat_the_worst_and_are_valid_in_params_yaml() -> None:
    assert sweep("small") == Path("profiles/best-small.txt")
    assert len(trials()) == 5
    assert min(losses()) < max(losses())
    assert f"validation loss {min(losses()):.4f}, the lowest of 5 trials" in Path("profiles/best-small.txt").read_text()
    values = found()
    assert set(values) == {f"tasks.names.{key}" for key in SETTINGS["keys"]}
    content = yaml.safe_load(Path("params.yaml").read_text())
    for key, value in values.items():
        tasks, task, block, name = key.split(".")
        assert type(value) is type(content[tasks][task][block][name])
        content[tasks][task][block][name] = value
    Params.model_validate(content)


def test_the_first_trial_uses_the_values_of_params_yaml_if_they_are_in_the_space() -> None:
    write(trials=1)
    sweep("small")
    model, train = shipped.names(load_params()).model, shipped.names(load_params()).train
    assert found() == {
        "tasks.names.train.learning_rate": train.learning_rate,
        "tasks.names.model.hidden_size": model.hidden_size,
        "tasks.names.model.cell": model.cell,
        "tasks.names.model.tied": model.tied,
    }
    write(trials=1, keys={"model.hidden_size": {"low": 4, "high": model.hidden_size - 1}})
    sweep("small")
    assert 4 <= found()["tasks.names.model.hidden_size"] < model.hidden_size


@pytest.mark.pipeline
@pytest.mark.parametrize("first", [True, False], ids=["the first", "a later one"])
def test_an_interrupted_sweep_resumes_with_the_same_result(*, first: bool) -> None:
    write(random_trials=1, trials=MANY)
    sweep("small")
    undisturbed, profile = [(t.params, t.value) for t in trials()], Path("profiles/best-small.txt").read_text()
    shutil.rmtree(".checkpoints")
    with subprocess.Popen([sys.executable, "-c", SWEEP], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        if first:
            while not list(Path(".checkpoints/sweeps/small").glob("*/last.ckpt")):
                assert victim.poll() is None
        else:
            assert any(f"trial 2 of {MANY}" in line for line in victim.stdout)
        victim.send_signal(signal.SIGKILL)
    assert len(trials()) < MANY
    sweep("small")
    assert [(t.params, t.value) for t in trials()] == undisturbed
    assert Path("profiles/best-small.txt").read_text() == profile


def test_more_trials_extend_the_study_and_other_settings_start_a_new_one() -> None:
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
    assert found() == {"tasks.names.train.learning_rate": 0.005}


def test_failed_trials_do_not_end_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

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
    with pytest.raises(StageError, match="none of the 1 trials completed; the last one failed: the loss is not finite"):
        sweep("small")


@pytest.mark.pipeline
@pytest.mark.usefixtures("tracked")
def test_runs_are_nested_and_the_best_is_marked() -> None:
    write(trials=2)
    sweep("small")
    write(trials=3)
    sweep("small")  # in a new process it would be the same: the parent run belongs to the sweep
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
    assert float(best.data.params["train.learning_rate"]) == found()["tasks.names.train.learning_rate"]


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
            "'train.lerning_rate' is not a key .* did you mean 'train.learning_rate'",
        ),
        ({"prepare.max_length": {"low": 10, "high": 20}}, "'prepare.max_length' is not a key of the task's model or train"),
        (
            {"model.dropout": {"low": 0.5, "high": 1.5}},
            r"tasks.names.model.dropout = 1.5: input should be less than 1",
        ),
        ({"model.hidden_size": {"low": 0.5, "high": 8}}, r"tasks.names.model.hidden_size = 0.5: input should be a valid integer"),
        ({"model.cell": {"choices": ["gru", "tree"]}}, r"tasks.names.model.cell = 'tree': must be 'rnn', "),
        ({"model.cell": {"choices": ["gru"]}}, "choices"),
        ({"model.dropout": {"low": 0.5, "high": 0.5}}, "low = 0.5 must be less than high = 0.5"),
        ({"model.dropout": {"low": 0.0, "high": 0.5, "log": True}}, "low = 0.0 must be positive if log is true"),
        ({"model.dropout": {"lo": 0.0, "high": 0.5}}, "unknown key 'lo'; did you mean 'low'"),
        ({}, "keys = {}"),
    ],
)
def test_values_invalid_in_params_yaml_are_rejected_before_any_trial(keys: dict[str, Any], told: str) -> None:
    write(keys=keys)
    with pytest.raises(StageError, match=rf"pipelines/sweep/small.yaml: .*{told}") as error:
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


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines/sweep").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_sweeps_are_valid(path: Path) -> None:
    space = Space(read_settings(path, Sweep), load_params(ROOT / "params.yaml"), str(path))
    assert space.present() is not None
