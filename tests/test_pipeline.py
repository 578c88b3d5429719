"""The whole pipeline on the smoke profile, in a temporary clone of the last commit, with this environment."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from real_servers import ACCESS, NOBODY, STRANGER, object_storage

from pipelines.measures import COMPARED
from pipelines.report import TASKS

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[1]
TRACKED = {f"{stage}@{task}" for stage in ("train", "export", "evaluate", "register") for task in COMPARED}


def run(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment in a folder, where `python` finds the folder's own modules first."""
    environment = {**os.environ, "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}", **more}
    for name in ("MLFLOW_TRACKING_URI", "OMP_NUM_THREADS"):  # no test run belongs on somebody's server; all cores are to be used
        environment.pop(name, None)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which `make repro PROFILE=smoke JOBS=2` has run."""
    folder = tmp_path_factory.mktemp("seqline") / "a clone"  # a path with a space has to work, too
    assert run(ROOT, "git", "clone", "--quiet", ".", str(folder)).returncode == 0
    # --old-file: this environment is complete, whatever the age of the clone's files.
    done = run(folder, "make", "repro", "PROFILE=smoke", "JOBS=2", f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.installed")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder


@pytest.mark.parametrize("task", COMPARED)
def test_metrics_are_finite_numbers(clone: Path, task: str) -> None:
    metrics = json.loads((clone / f"metrics/{task}.json").read_text(encoding="utf-8"))
    numbers = [value for value in metrics.values() if not isinstance(value, str)]
    assert numbers
    assert all(math.isfinite(value) for value in numbers)
    assert metrics["onnx_max_abs_error"] <= 1e-4


def test_every_task_has_an_archive(clone: Path) -> None:
    assert {path.stem for path in (clone / "build/model-store").glob("*.mar")} == set(TASKS)


def test_nothing_is_left_to_do(clone: Path) -> None:
    assert json.loads(run(clone, "dvc", "status", "--json", "dvc.yaml").stdout) == {}
    again = run(clone, "dvc", "repro")
    assert again.returncode == 0
    assert "Running stage" not in again.stdout


def test_one_parent_run_has_a_run_of_each_stage(clone: Path) -> None:
    client = tracking(clone)
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    children = {
        found.info.run_name: found.data.tags["mlflow.parentRunId"] for found in runs if "mlflow.parentRunId" in found.data.tags
    }
    (parent,) = (found.info.run_id for found in runs if "mlflow.parentRunId" not in found.data.tags)
    assert children.keys() >= TRACKED
    assert set(children.values()) == {parent}


def test_models_are_registered(clone: Path) -> None:
    names = {model.name for model in tracking(clone).search_registered_models()}
    assert names == {f"seqline-{task}" for task in TASKS}


def test_a_second_clone_pulls_what_the_first_has_pushed_and_reruns_nothing(clone: Path, tmp_path: Path) -> None:
    author = ("-c", "user.name=A tester", "-c", "user.email=tester@example.org")
    assert run(clone, "git", *author, "commit", "--quiet", "--all", "--message", "the smoke profile").returncode == 0
    second = tmp_path / "second clone"
    assert run(tmp_path, "git", "clone", "--quiet", str(clone), str(second)).returncode == 0
    with object_storage(tmp_path / "objects", "dvc") as url:
        for arguments in (["add", "--default", "store", "s3://dvc"], ["modify", "store", "endpointurl", url]):
            assert run(clone, "dvc", "remote", *arguments, "--local").returncode == 0
        shutil.copy(clone / ".dvc/config.local", second / ".dvc")
        for environment, answer in ((STRANGER, "Forbidden"), (NOBODY, "Unable to locate credentials")):
            refused = run(clone, "dvc", "push", **environment)
            (line,) = (line for line in refused.stderr.splitlines() if line.startswith("ERROR: "))
            assert answer in line
            assert "Traceback" not in refused.stderr
        assert not any((tmp_path / "objects/dvc").iterdir())
        assert run(clone, "dvc", "push", **ACCESS).returncode == 0
        pulled = run(second, "dvc", "pull", "dvc.yaml", **ACCESS)
        assert pulled.returncode == 0, pulled.stderr
    # The storage is gone now: all that is needed is there.
    assert json.loads(run(second, "dvc", "status", "--json", "dvc.yaml").stdout) == {}
    again = run(second, "dvc", "repro")
    assert again.returncode == 0, again.stderr
    assert "Running stage" not in again.stdout
    assert run(second, "git", "status", "--porcelain").stdout == ""


def tracking(clone: Path) -> MlflowClient:
    uri = f"sqlite:///{clone / 'mlflow.db'}"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def test_an_unknown_key_names_the_closest(clone: Path) -> None:
    params = clone / "params.yaml"
    before = params.read_text(encoding="utf-8")
    params.write_text(before.replace("learning_rate:", "lerning_rate:", 1), encoding="utf-8")
    try:
        done = run(clone, "dvc", "repro", "train@surname")
        assert done.returncode != 0
        (line,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
        assert "unknown key 'surname.train.lerning_rate'; did you mean 'learning_rate'?" in line
    finally:
        params.write_text(before, encoding="utf-8")
