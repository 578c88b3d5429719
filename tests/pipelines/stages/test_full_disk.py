"""A disk that is really full: each library reports it in its own way, and the stage turns that into one line."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from matplotlib.figure import Figure
from mlflow import MlflowClient
from safetensors.torch import save_model

from models.text.json_files import write_json
from models.text.subwords import SubwordTokenizer
from pipelines.stage import run_stage
from pipelines.store import GrowingArray
from pipelines.tracking.delivery import Delivery
from pipelines.tracking.runs import track
from pipelines.training.checkpoints import save

NUMBERS = np.random.default_rng(0).normal(size=1 << 20).astype(np.float32)  # 4 MiB
WORDS = ["".join(map(chr, word)) for word in np.random.default_rng(0).integers(ord("a"), ord("z"), size=(2000, 6))]
ROOM = 16 << 10  # bytes left on the disk: enough to start a file
SIZE = 4 << 20  # of the disk
RUNS = "runs.db"
FULL = "error: the disk is full"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with one run."""
    path = tmp_path_factory.mktemp("runs") / RUNS
    client = MlflowClient(f"sqlite:///{path}")
    client.create_run("0")
    return path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a file system")
    try:
        yield folder
    finally:
        subprocess.run([shutil.which("umount") or "umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, room: int = ROOM) -> None:
    state = os.statvfs(disk)
    with suppress(OSError):  # another thread may have taken some of it; all that is left is full as well
        (disk / "filler").write_bytes(bytes(state.f_bavail * state.f_bsize - room))


def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> str:
    """The one line with which a stage that does this work fails."""
    monkeypatch.setattr(sys, "argv", ["stage", "name"])

    def main(_name: str) -> None:
        work()

    with pytest.raises(SystemExit) as ended:
        run_stage(main)
    assert ended.value.code == 1
    # On a busy machine the work may take long enough for progress lines.
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("error: "))
    return line


def grow(path: Path) -> None:
    with GrowingArray(path, np.float32) as array:
        array.append(NUMBERS)


def write_onnx(path: Path) -> None:
    weights = onnx.numpy_helper.from_array(NUMBERS, "weights")
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "graph", [], [], [weights])), path)


def draw(path: Path) -> None:
    figure = Figure(figsize=(20, 20))
    figure.add_subplot().imshow(NUMBERS.reshape(1024, 1024), interpolation="none")
    figure.savefig(path, format="png")


WRITERS: dict[str, Callable[[Path], object]] = {
    "array": lambda path: np.save(path, NUMBERS),
    "growing array": grow,
    "weights": lambda path: save_model(torch.nn.Linear(1024, 1024), str(path)),
    "checkpoint": lambda path: save({"weights": torch.from_numpy(NUMBERS)}, path),
    "parquet": lambda path: pq.write_table(pa.table({"numbers": NUMBERS}), path),
    "metrics": lambda path: write_json(path, {str(number): 1 for number in NUMBERS[:20000]}),
    "graph": write_onnx,
    "picture": draw,
    "subwords": SubwordTokenizer.train(WORDS, size=6000).save,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file(disk: Path, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fill(disk)
    assert FULL in told(capsys, monkeypatch, lambda: WRITERS[kind](disk / "file"))


@pytest.mark.parametrize("when", ["before", "while it runs"])
def test_mlflow(disk: Path, runs: Path, when: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(runs, disk / RUNS)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{disk / RUNS}")

    def work() -> None:
        if when == "before":
            fill(disk, room=0)
        with track("train", "surname") as run:
            if when != "before":
                fill(disk, room=0)
            for epoch in range(2000):
                run.metrics({"loss": 1 / (epoch + 1), "rate": 0.5}, step=epoch)

    assert f"{FULL} (sqlite:///{disk / RUNS})" in told(capsys, monkeypatch, work)


def test_artifacts(
    disk: Path, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "large.npy", NUMBERS)
    client = MlflowClient(f"sqlite:///{runs}")
    run_id = client.create_run(client.create_experiment("disk", artifact_location=str(disk))).info.run_id

    def work() -> None:
        run = Delivery(client, run_id, "here")
        run.artifacts(tmp_path / "large.npy")
        run.close("FINISHED")

    assert FULL in told(capsys, monkeypatch, work)


def test_other_errors_are_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(_name: str) -> None:
        raise RuntimeError("unexpected")

    monkeypatch.setattr(sys, "argv", ["stage", "name"])
    with pytest.raises(RuntimeError, match="unexpected"):
        run_stage(work)
