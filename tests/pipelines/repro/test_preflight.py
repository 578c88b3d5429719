"""A failed prerequisite is reported in one line before any work."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[3]


def python(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python without the addresses that MLflow and Ray leave in this process's environment."""
    clean = {name: value for name, value in os.environ.items() if name not in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS")}
    env = {**clean, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False)


def preflight(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return python(folder, "-m", "pipelines.repro.preflight", **environment)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name in ("params.yaml", "data/catalogue.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def closed() -> Iterator[int]:
    """A port that stays closed during the test."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    return line


def test_what_is_not_configured_is_not_checked(folder: Path) -> None:
    done = preflight(folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    code = "import sys, pipelines.repro.preflight as p; p.check(); print(sorted({'torch', 'mlflow', 'ray'} & set(sys.modules)))"
    assert python(folder, "-c", code).stdout == "[]\n"


def test_a_missing_tracking_server(folder: Path, closed: int) -> None:
    assert f"no MLflow server answers at http://127.0.0.1:{closed}" in one_line(
        preflight(folder, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{closed}")
    )


def test_a_missing_cluster(folder: Path, closed: int) -> None:
    assert "no Ray cluster answers" in one_line(preflight(folder, RAY_ADDRESS=f"ray://127.0.0.1:{closed}"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu(folder: Path) -> None:
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("\ndevice: auto", "\ndevice: cuda"))
    assert "torch sees no GPU" in one_line(preflight(folder))


@pytest.mark.skipif(os.getuid() != 0, reason="mounting takes root")
def test_a_nearly_full_disk(folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small], check=False).returncode:
        pytest.skip("mounting is not permitted on this machine")
    try:
        shutil.copy(folder / "params.yaml", small)
        assert "the disk has 0 MB left" in one_line(preflight(small)).replace("1 MB", "0 MB")
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_folder_name_that_mlflow_cannot_use(folder: Path) -> None:
    named = folder.rename(folder.with_name("#1"))
    assert "rename the folder with # or % in its name" in one_line(preflight(named))
