"""A user's series, from a CSV file through all stages to an answer."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from own_data import write_demand
from typer.testing import CliRunner

from pipelines.paths import BUNDLES, CATALOGUE, METRICS, PARAMS, STORE
from pipelines.verbs import app
from serving.predictor import load_predictor
from serving.server.archive import Archive

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STAGES = ("download", "prepare", "train", "export", "evaluate", "register", "package")
RUN = """
import sys
from importlib import import_module
for stage in sys.argv[1:]:
    import_module(f"pipelines.stages.{stage}").main("demand")
"""
SMALLER: dict[str, dict[str, Any]] = {
    "model": {"members": 1, "hidden_size": 8},
    "train": {"epochs": 3, "patience": 3, "learning_rate": 0.01},
    "prepare": {"window": 24},
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a task for an hourly series, created by `seqline new`, and the output of all stages with a smaller model."""
    folder = tmp_path_factory.mktemp("series")
    (folder / "data").mkdir()
    for path in (PARAMS, CATALOGUE):
        shutil.copyfile(ROOT / path, folder / path)
    write_demand(folder)
    arguments = "new demand --kind forecasting --data demand.csv --time when --target load --inputs temperature --yes"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made = CliRunner().invoke(app, arguments.split())
    assert made.exit_code == 0, made.output
    content = yaml.safe_load((folder / PARAMS).read_text(encoding="utf-8"))
    for block, values in SMALLER.items():
        content["tasks"]["demand"][block] |= values
    (folder / PARAMS).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUN, *STAGES],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return folder


def test_the_forecaster_beats_the_seasonal_naive_baseline(built: Path) -> None:
    metrics = json.loads((built / METRICS / "demand.json").read_text(encoding="utf-8"))
    assert metrics["mae_over_naive"] < 0.6
    assert metrics["mae_over_seasonal_naive"] < 0.9
    assert metrics["linear_mae"] < metrics["seasonal_naive_mae"]
    assert abs(metrics["coverage"] - metrics["coverage_wanted"]) < 0.15
    assert (built / "plots/evaluate/demand/forecasts.png").exists()


def test_the_endpoint_reproduces_the_archives_example(built: Path) -> None:
    example, *_ = Archive.read(built / STORE / "demand.mar").examples
    (reply,) = load_predictor(built / BUNDLES / "demand").answer([json.dumps(example.request).encode()])
    assert reply.status == 200
    assert json.loads(json.dumps(reply.body)) == example.answer
    assert [one["horizon"] for one in reply.body["forecasts"]] == [1, 6, 24]
    for one in reply.body["forecasts"]:
        values = [quantile["value"] for quantile in one["quantiles"]]
        assert 300 < values[0] < values[-1] < 700
        assert values == sorted(values)


def test_a_series_without_an_input_is_refused(built: Path) -> None:
    example, *_ = Archive.read(built / STORE / "demand.mar").examples
    series = {name: values for name, values in example.request["inputs"].items() if name != "temperature"}
    (reply,) = load_predictor(built / BUNDLES / "demand").answer([{"inputs": [example.request["inputs"], series]}])
    assert (reply.code, reply.body["error"]["input"]) == ("missing_column", 1)


def test_mlflow_gives_the_same_answer_as_the_server(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(built)
    mlflow.set_tracking_uri(f"sqlite:///{built / 'mlflow.db'}")
    example, *_ = Archive.read(STORE / "demand.mar").examples
    loaded = mlflow.pyfunc.load_model("models:/seqline-demand/1")
    parameters = json.dumps({"horizons": [6]})
    answers = loaded.predict([json.dumps(example.request["inputs"])], params={"parameters": parameters})
    (expected,) = (one for one in example.answer["forecasts"] if one["horizon"] == 6)
    assert json.loads(json.dumps(answers)) == [{"forecasts": [expected]}]


def test_removing_the_task_leaves_nothing(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copytree(built, tmp_path / "copy")
    monkeypatch.chdir(copy)
    assert CliRunner().invoke(app, ["remove", "demand"]).exit_code == 0
    assert yaml.safe_load(PARAMS.read_text())["tasks"].keys() == yaml.safe_load((ROOT / PARAMS).read_text())["tasks"].keys()
    assert [path for path in copy.glob("*/**/demand*") if "mlruns" not in path.parts] == []
