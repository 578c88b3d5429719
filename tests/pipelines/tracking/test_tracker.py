"""A stage with a tracker leaves the same in MLflow as without one."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import copy

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from waiting import until

from pipelines.tracking.client import TRACKER
from pipelines.tracking.process import TrackerProcess
from pipelines.tracking.runs import EXPERIMENT

ROOT = Path(__file__).parents[3]
STAGE = """
import os, sys
from pathlib import Path
from pipelines.stage import run_stage
from pipelines.tracking.runs import track

def main(end):
    Path("curve.csv").write_text("epoch\\n1\\n")
    with track("train", "names") as run:
        for step in range(3):
            run.metrics({"loss": 1 / (step + 1), "signature": "not a number"}, step=step)
        run.tag("noted", "yes")
        run.artifacts(Path("curve.csv"))
        print(run.call("pathlib:PurePath", "of the run"))
        match end:
            case "broken":
                raise RuntimeError("broken")
            case "missing":
                run.artifacts(Path("no-such-file"))
            case "refused":
                run.call("mlflow:set_experiment", "a name and an id")
            case "registers":
                print("version", run.call("pipelines.stages.register:register", "names", "bundle"))
            case "killed":
                os.kill(os.getpid(), 9)
            case "interrupted":
                raise KeyboardInterrupt
    assert ("mlflow" in sys.modules) == (end == "without a tracker")

run_stage(main)
"""
FAILED = {
    "broken": (1, "RuntimeError: broken"),
    "missing": (1, "no-such-file"),
    "refused": (1, "error: MLflow at sqlite:"),
    "killed": (-signal.SIGKILL, ""),
    "interrupted": (-signal.SIGINT, "KeyboardInterrupt"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tracked")
    (made / "data").mkdir()
    copy("data/catalogue.yaml", made / "data")
    copy("params.yaml", made)
    return made


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/runs.db"}


@pytest.fixture(scope="module")
def tracker(folder: Path, environment: dict[str, str]) -> Iterator[TrackerProcess]:
    process = TrackerProcess()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in environment.items():
            patch.setenv(name, value)
        process.environment()
    yield process
    process.close()


def stage(folder: Path, end: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", STAGE, end], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def newest(folder: Path) -> tuple[MlflowClient, Run]:
    client = MlflowClient(f"sqlite:///{folder}/runs.db")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return client, client.search_runs([experiment.experiment_id], "tags.stage = 'train'", max_results=1)[0]


def left(folder: Path) -> tuple[object, ...]:
    """All contents of a run, except what differs between any two runs."""
    client, run = newest(folder)
    tags = {name: value for name, value in run.data.tags.items() if name != "mlflow.parentRunId"}
    parent = client.get_run(run.data.tags["mlflow.parentRunId"])
    losses = [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, "loss")]
    files = [file.path for file in client.list_artifacts(run.info.run_id)]
    return run.info.run_name, run.info.status, run.data.params, run.data.metrics, tags, losses, files, parent.info.run_name


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_a_stage_leaves_the_same_with_and_without_a_tracker(
    folder: Path, environment: dict[str, str], tracker: TrackerProcess
) -> None:
    alone = stage(folder, "without a tracker", environment)
    assert alone.returncode == 0, alone.stderr
    first = left(folder)
    tracked = stage(folder, "in the end", {**environment, **tracker.environment()})
    assert tracked.returncode == 0, tracked.stderr
    assert left(folder) == first
    assert "FINISHED" in first


@pytest.mark.timeout(300)
@pytest.mark.parametrize("end", FAILED)
def test_a_failing_stage_reports_it_and_its_run_has_failed(
    folder: Path, environment: dict[str, str], tracker: TrackerProcess, end: str
) -> None:
    status, said = FAILED[end]
    done = stage(folder, end, {**environment, **tracker.environment()})
    assert done.returncode == status
    assert said in done.stderr
    # The tracker needs a moment to notice a killed stage.
    until(lambda: newest(folder)[1].info.status != "RUNNING", "the end of the run")
    assert newest(folder)[1].info.status == "FAILED"


@pytest.mark.timeout(300)
def test_a_stage_registers_a_model_through_the_tracker(
    folder: Path, environment: dict[str, str], tracker: TrackerProcess, bundles: dict[str, Path]
) -> None:
    shutil.copytree(bundles["generation"], folder / "bundle")
    done = stage(folder, "registers", {**environment, **tracker.environment()})
    assert "version 1" in done.stdout, done.stderr
    client, run = newest(folder)
    assert client.get_model_version("seqline-names", "1").run_id == run.info.run_id


def test_a_stage_reports_that_its_tracker_has_ended(folder: Path, environment: dict[str, str]) -> None:
    done = stage(folder, "in the end", {**environment, TRACKER: f"{folder}/nothing"})
    assert (done.returncode, done.stderr) == (
        1,
        "error: the process that tracks this run of the pipeline in MLflow has ended; run it again\n",
    )
