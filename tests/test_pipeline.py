"""The whole pipeline on the smoke profile, in a temporary clone of the last commit, with this environment."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml
from mlflow import MlflowClient
from own_data import write_demand, write_japanese, write_tickets, write_tmx, write_villages, write_zoo
from real_servers import ACCESS, NOBODY, STRANGER, object_storage

from pipelines.settings.params import load_params

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[1]
TASKS = tuple(load_params().tasks)
SERVED = tuple(load_params().served)
TRACKED = {f"{stage}@{task}" for stage in ("train", "export", "evaluate", "register") for task in TASKS}


def run(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment in a folder; `python` finds the folder's own modules first."""
    environment = {**os.environ, "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}", **more}
    for name in ("MLFLOW_TRACKING_URI", "OMP_NUM_THREADS"):  # do not log to a user's server; use all cores
        environment.pop(name, None)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which `make repro PROFILE=smoke JOBS=2` has run."""
    folder = tmp_path_factory.mktemp("seqline") / "a clone"  # a path with a space must work, too
    assert run(ROOT, "git", "clone", "--quiet", ".", str(folder)).returncode == 0
    # --old-file: this environment is complete, even if the clone's files are newer.
    done = run(folder, "make", "repro", "PROFILE=smoke", "JOBS=2", f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.installed")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder


@pytest.mark.parametrize("task", TASKS)
def test_metrics_are_finite_numbers(clone: Path, task: str) -> None:
    metrics = json.loads((clone / f"metrics/{task}.json").read_text(encoding="utf-8"))
    numbers = [value for value in metrics.values() if not isinstance(value, str)]
    assert numbers
    assert all(math.isfinite(value) for value in numbers)
    assert metrics["onnx_max_abs_error"] <= 1e-4


def test_every_task_has_an_archive(clone: Path) -> None:
    assert {path.stem for path in (clone / "build/model-store").glob("*.mar")} == {*SERVED}


def test_a_second_repro_runs_no_stage(clone: Path) -> None:
    assert json.loads(run(clone, "dvc", "status", "--json", "dvc.yaml").stdout) == {}
    again = run(clone, "dvc", "repro")
    assert again.returncode == 0
    assert "Running stage" not in again.stdout


def test_each_stage_has_a_run_under_one_parent(clone: Path) -> None:
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
    assert names == {f"seqline-{name}" for name in SERVED}


def test_a_second_clone_pulls_pushed_outputs_and_reruns_nothing(clone: Path, tmp_path: Path) -> None:
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
    # The storage has been stopped: everything needed is local.
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
        assert "unknown key 'tasks.surname.train.lerning_rate'; did you mean 'learning_rate'?" in line
    finally:
        params.write_text(before, encoding="utf-8")


# Users' own data


SEQLINE = (sys.executable, "-c", "from serving.command_line import main; main()")
OWN = {
    "tickets": ["--kind", "classification", "--data", "{}/tickets.csv", "--text", "body", "--label", "queue"],
    "villages": ["--data", "{}/villages.txt"],
    "de-en": ["--kind", "translation", "--data", "{}/corpus.tmx", "--source", "de", "--target", "en"],
    "ja-en": ["--kind", "translation", "--data", "{}/corpus.ja", "--data", "{}/corpus.en"],
    "demand": [
        "--kind",
        "forecasting",
        "--data",
        "{}/demand.csv",
        "--target",
        "load",
        "--time",
        "when",
        "--inputs",
        "temperature",
    ],
}
VECTORS = {"zoo": ["--kind", "vectors", "--data", "{}/zoo.txt", "--method", "skip_gram", "--method", "fasttext"]}
SMALLER = {
    "epochs": 2,
    "patience": 2,
    "hidden_size": 16,
    "embedding_size": 16,
    "encoder_size": 16,
    "vocabulary_size": 400,
    "samples": 20,
}
# Files tracked by Git that `make repro` writes.
GENERATED = re.compile(r"params\.yaml|data/catalogue\.yaml|dvc\.lock|serving/openapi\.json|(metrics|plots)/.*")


@pytest.fixture(scope="module")
def grown(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the clone with five tasks and word vectors from a user's own data, built with small models."""
    data, folder = tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("grown") / "clone"
    shutil.copytree(clone, folder, symlinks=True)
    author = ("-c", "user.name=A tester", "-c", "user.email=tester@example.org")
    run(folder, "git", *author, "commit", "--quiet", "--all", "--message", "the smoke profile")
    for write in (write_tickets, write_villages, write_tmx, write_japanese, write_zoo, write_demand):
        write(data)
    for name, arguments in (OWN | VECTORS).items():
        made = run(folder, *SEQLINE, "new", name, *(argument.format(data) for argument in arguments), "--yes")
        assert made.returncode == 0, made.stdout + made.stderr
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    for name in OWN:
        for block in ("prepare", "model", "train", "evaluate"):
            values = params["tasks"][name][block]
            values |= {
                key: size for key, size in SMALLER.items() if key in values and params["tasks"][name]["data"]["vectors"] == "none"
            }
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    environment = (f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.installed")
    done = run(folder, "make", "repro", "JOBS=2", *environment)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder


def test_own_data_changes_only_params_and_catalogue(grown: Path) -> None:
    changed = [line[3:] for line in run(grown, "git", "status", "--porcelain").stdout.splitlines()]
    assert {"params.yaml", "data/catalogue.yaml"} <= set(changed)
    assert [path for path in changed if not GENERATED.fullmatch(path)] == []


@pytest.mark.parametrize("task", OWN)
def test_own_tasks_are_measured_against_baselines(grown: Path, task: str) -> None:
    metrics = json.loads((grown / f"metrics/{task}.json").read_text(encoding="utf-8"))
    assert any(name.startswith(("baseline_", "copy_", "seasonal_naive_")) for name in metrics)
    assert all(math.isfinite(value) for value in metrics.values() if not isinstance(value, str))


def test_publishing_writes_own_tasks_into_the_readme(grown: Path) -> None:
    made = run(grown, sys.executable, "-m", "pipelines.report.pages", "--write")
    assert made.returncode == 0, made.stderr
    readme = (grown / "README.md").read_text(encoding="utf-8")
    assert [task for task in OWN if f"| {task} |" not in readme] == []


def assert_the_client_works_as_documented(folder: Path) -> None:
    for page in ("ask", "feedback"):
        text = (folder / f"docs/how-to/{page}.md").read_text(encoding="utf-8")
        (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        done = run(folder, sys.executable, "-c", block)
        assert done.returncode == 0, done.stderr
        assert done.stdout, page


def test_own_tasks_are_served_over_rest(grown: Path) -> None:
    asked = {
        "tickets": "my old bike does not start",
        "villages": "Neu",
        "de-en": "Der Hund ist im Wald.",
        "ja-en": "犬は森にいます。",
        "zoo": "lions",
    }
    up = run(grown, *SEQLINE, "up", "--port", "0")
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        urls = {Path(url).name: url for url in re.findall(r"http://\S+/predictions/\S+", up.stdout)}
        assert urls.keys() == {*SERVED, *OWN, *VECTORS}
        (header,) = {*re.findall(r"-H @(\S+)", up.stdout)}
        name, _, value = (grown / header).read_text(encoding="utf-8").strip().partition(": ")
        demand = json.loads((grown / ".serving/examples/demand.json").read_text(encoding="utf-8"))
        for task, text in {**asked, "demand": demand["inputs"]}.items():
            answer = requests.post(urls[task], json={"inputs": text}, headers={name: value}, timeout=60)
            assert answer.status_code == 200, answer.text
        labels = requests.post(urls["tickets"], json={"inputs": "x y"}, headers={name: value}, timeout=60).json()
        assert {one["label"] for one in labels} <= {"billing", "praise", "returns", "sales", "support"}
        assert_the_client_works_as_documented(grown)
    finally:
        run(grown, *SEQLINE, "down")


def test_removed_tasks_leave_no_files(grown: Path) -> None:
    for name in (*OWN, *VECTORS):
        assert run(grown, *SEQLINE, "remove", name).returncode == 0
    assert load_params(grown / "params.yaml").names == load_params().names
    # Except for the history: DVC's cache and the runs.
    kept = {".dvc", "mlruns"}
    assert not [path for name in (*OWN, *VECTORS) for path in grown.glob(f"*/**/{name}*") if kept.isdisjoint(path.parts)]
