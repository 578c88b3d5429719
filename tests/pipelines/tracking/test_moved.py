"""A clone that was moved after its first run keeps its runs' artifacts, and new ones are stored next to them."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.stage import StageError
from pipelines.tracking.moved import COLUMNS, DATABASE, check_folder, follow_artifacts

ROOT = Path(__file__).parents[3]
# A stage that logs a text and then prints the texts of all runs.
STAGE = """
import json, sys
from pathlib import Path
from mlflow import MlflowClient
from pipelines.tracking.runs import track

Path(sys.argv[1]).write_text(sys.argv[1])
with track("describe", "surname") as run:
    run.artifacts(Path(sys.argv[1]))
client = MlflowClient()
found = [(run.info, artifact.path) for run in client.search_runs(["1"]) for artifact in client.list_artifacts(run.info.run_id)]
print(json.dumps({path: Path(run.artifact_uri, path).read_text() for run, path in found}))
"""


def stage(folder: Path, name: str) -> dict[str, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-c", STAGE, name]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_stages_continue_in_a_moved_folder(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for name in ("params.yaml", "dvc.lock", "data/catalogue.yaml"):
        (old / name).parent.mkdir(exist_ok=True, parents=True)
        shutil.copyfile(ROOT / name, old / name)
    assert stage(old, "first") == {"first": "first"}
    old.rename(new)
    assert stage(new, "second") == {"first": "first", "second": "second"}
    assert not old.exists()


def database(folder: Path, root: str) -> Path:
    """A database with MLflow's tables and columns that contain paths, with a row in each."""
    with sqlite3.connect(folder / DATABASE) as connection:
        columns: dict[str, list[str]] = {"experiments": ["experiment_id"]}
        for table, column in COLUMNS:
            columns.setdefault(table, []).append(column)
        for table, names in columns.items():
            connection.execute(f"CREATE TABLE {table} ({', '.join(names)})")
            values = ["0" if name == "experiment_id" else f"{root}/%_x" for name in names]
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608
    connection.close()
    return folder / DATABASE


def paths(file: Path) -> set[str]:
    with sqlite3.connect(file) as connection:
        return {connection.execute(f"SELECT {column} FROM {table}").fetchone()[0] for table, column in COLUMNS}  # noqa: S608


def test_all_paths_are_updated(tmp_path: Path) -> None:
    file = database(tmp_path, "/somewhere/else/mlruns")
    follow_artifacts(file)
    assert paths(file) == {f"{tmp_path}/mlruns/%_x"}


@pytest.mark.parametrize("root", ["s3://bucket/mlruns", "{here}/mlruns"])
def test_correct_paths_are_not_changed(tmp_path: Path, root: str) -> None:
    file = database(tmp_path, root := root.format(here=tmp_path))
    before = file.read_bytes()
    follow_artifacts(file)
    assert file.read_bytes() == before
    assert paths(file) == {f"{root}/%_x"}


def test_no_database_is_created(tmp_path: Path) -> None:
    follow_artifacts(tmp_path / DATABASE)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a#b", "a%41"])
def test_folders_that_mlflow_cannot_use_are_rejected(tmp_path: Path, name: str) -> None:
    with pytest.raises(StageError, match="rename"):
        check_folder(tmp_path / name)
    check_folder(tmp_path / "a b'\"$&;?é")
