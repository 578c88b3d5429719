"""What is wrong before a run begins is one line, and nothing has been done."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


def preflight(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS")}
    command = [sys.executable, "-m", "pipelines.preflight"]
    env = {**clean, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


@pytest.fixture
def closed() -> Iterator[int]:
    """A port that nothing listens on, and nothing will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    return line


def test_nothing_that_is_not_set_is_asked_for(folder: Path) -> None:
    done = preflight(folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    code = "import sys, pipelines.preflight as p; p.check(); sys.exit(bool({'torch', 'mlflow', 'ray'} & set(sys.modules)))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
        ).returncode
        == 0
    )


def test_a_tracking_server_that_is_not_there(folder: Path, closed: int) -> None:
    assert f"no MLflow server answers at http://127.0.0.1:{closed}" in one_line(
        preflight(folder, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{closed}")
    )


def test_a_cluster_that_is_not_there(folder: Path, closed: int) -> None:
    assert "no Ray cluster answers" in one_line(preflight(folder, RAY_ADDRESS=f"ray://127.0.0.1:{closed}"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(folder: Path) -> None:
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("\ndevice: auto", "\ndevice: cuda"))
    assert "torch sees no GPU" in one_line(preflight(folder))


@pytest.mark.skipif(os.getuid() != 0, reason="mounting takes root")
def test_a_disk_that_is_nearly_full(folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small], check=False).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        shutil.copy(folder / "params.yaml", small)
        assert "the disk has 0 MB left" in one_line(preflight(small)).replace("1 MB", "0 MB")
    finally:
        subprocess.run(["umount", small], check=True)
