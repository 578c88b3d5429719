"""Contents and location of a stage's runs in MLflow."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
import shipped
from mlflow import MlflowClient
from real_servers import NOBODY

from pipelines.settings.params import load_params
from pipelines.stage import StageError
from pipelines.tracking.runs import EXPERIMENT, INVOCATION, track

WITHOUT_MLFLOW = """
import sys
from pathlib import Path
sys.modules["mlflow"] = None
from pipelines.tracking.runs import track
with track("train", "names") as run:
    run.metrics({"a": 1})
    run.artifacts(Path("nothing"))
print(repr(run.run_id))
"""

ROOT = Path(__file__).parents[3]
SIDE_BY_SIDE = """
stages:
  train:
    foreach: [a, b, c, d]
    do:
      cmd: python stage.py ${item}
      outs: ["${item}"]
"""
TRACKED = """
import sys
from pathlib import Path
from pipelines.settings.section import Section
from pipelines.kinds.classification.settings import CharactersTask
from pipelines.tracking.runs import track
item = sys.argv[1]
with track("train", item, Section()) as run:
    for step in range(50):
        run.metrics({"loss": 1 / (step + 1)}, step=step)
Path(item).touch()
"""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    uri = f"sqlite:///{tmp_path}/runs.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield MlflowClient()
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type] # None resets the address, but the type hints do not allow it


def test_stages_of_one_invocation_share_a_parent(client: MlflowClient, tmp_path: Path) -> None:
    (tmp_path / "curve.csv").write_text("epoch\n1\n")
    with track("train", "surname") as run:
        run.metrics({"valid_loss": 2.0, "signature": "not a number"}, step=1)
        run.metrics({"valid_loss": 1.0}, step=2)
        run.artifacts(tmp_path / "curve.csv")
    with pytest.raises(RuntimeError, match="broken"), track("evaluate", "surname"):
        raise RuntimeError("broken")

    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"repro", "train@surname", "evaluate@surname"}
    parent, train, evaluate = runs["repro"], runs["train@surname"], runs["evaluate@surname"]
    assert INVOCATION in parent.data.tags
    assert {r.data.tags["mlflow.parentRunId"] for r in (train, evaluate)} == {parent.info.run_id}
    assert (train.info.status, evaluate.info.status) == ("FINISHED", "FAILED")
    assert [m.value for m in client.get_metric_history(train.info.run_id, "valid_loss")] == [2.0, 1.0]
    assert train.data.params["model.hidden_size"] == str(shipped.surname(load_params()).model.hidden_size)
    assert train.data.tags["dataset"] == "surnames17"
    assert [len(sha) for sha in train.data.tags["dataset_sha256"].split()] == [64, 64]
    assert {"git_commit", "dvc_lock_sha256", "stage", "task"} <= set(train.data.tags)
    assert [a.path for a in client.list_artifacts(train.info.run_id)] == ["curve.csv"]


def test_an_error_of_mlflow_in_the_stage_itself_is_one_line(client: MlflowClient) -> None:
    with pytest.raises(StageError, match="no-such-run") as raised, track("register", "surname"):
        client.get_run("no-such-run")
    assert "\n" not in str(raised.value)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "tags.stage = 'register'")
    assert run.info.status == "FAILED"


def test_missing_credentials_for_the_artifact_store(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)
    client.create_experiment(EXPERIMENT, artifact_location="s3://nowhere/here")
    with pytest.raises(StageError, match="Unable to locate credentials"), track("train", "surname"):
        pytest.fail("the work began")


def test_without_mlflow_a_stage_runs_untracked(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_MLFLOW], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "''\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_parallel_stages_share_one_parent(client: MlflowClient, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    shutil.copy("data/catalogue.yaml", tmp_path / "data")
    (tmp_path / "dvc.yaml").write_text(SIDE_BY_SIDE)
    (tmp_path / "stage.py").write_text(TRACKED)
    path = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/new.db"}
    for command in (
        ["git", "init", "-q"],
        ["dvc", "init", "-q"],
        [sys.executable, "-m", "pipelines.repro.side_by_side", "--jobs", "4"],
    ):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    mlflow.set_tracking_uri(environment["MLFLOW_TRACKING_URI"])
    client = MlflowClient()
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    (parent,) = (run for run in runs if INVOCATION in run.data.tags)
    children = [run for run in runs if run is not parent]
    assert sorted(run.info.run_name for run in children) == ["train@a", "train@b", "train@c", "train@d"]
    for run in children:
        assert (run.info.status, run.data.tags["mlflow.parentRunId"]) == ("FINISHED", parent.info.run_id)
        assert len(client.get_metric_history(run.info.run_id, "loss")) == 50
