"""A uid without a user name, and a folder that is not a repository."""

import getpass
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.repro.user import name_user

ROOT = Path(__file__).parents[3]
NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


def test_a_uid_without_a_user_name_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    name_user()
    assert getpass.getuser() == f"uid-{os.getuid()}"


def test_an_existing_user_name_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody")
    name_user()
    assert getpass.getuser() == "somebody"


def test_git_need_not_be_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        for what in ("NAME", "EMAIL"):
            monkeypatch.setenv(f"GIT_{who}_{what}", "")
            monkeypatch.delenv(f"GIT_{who}_{what}")
    monkeypatch.setenv("PATH", str(tmp_path))
    name_user()
    assert os.environ["GIT_COMMITTER_NAME"] == getpass.getuser()


def test_make_passes_a_user_name_to_its_commands(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    (tmp_path / "more.mk").write_text("include Makefile\nname:\n\t@echo $$LOGNAME\n")
    bare = {name: value for name, value in os.environ.items() if name not in NAMES}
    said = subprocess.run(["make", "-f", "more.mk", "name"], cwd=tmp_path, env=bare, capture_output=True, text=True, check=True)
    assert said.stdout.strip()


def test_make_fails_without_a_repository_before_installing_anything(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    done = subprocess.run(["make", "repro"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "error: DVC needs a Git repository here: git init" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_experiments_need_no_git_identity(tmp_path: Path) -> None:
    """DVC takes the author of the second experiment from Git, which may have none configured."""
    nobody = {"HOME": str(tmp_path / "home"), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = {
        **kept,
        **nobody,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=tmp_path / "clone", env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    (tmp_path / "clone").mkdir()
    run("git", "init", "--quiet")
    run("dvc", "init", "--quiet")
    (tmp_path / "clone" / "params.yaml").write_text("x: 1\n")
    stages = (
        "stages:\n  copy:\n    cmd: cp params.yaml copied.yaml\n    params: [x]\n    metrics: [{copied.yaml: {cache: false}}]\n"
    )
    (tmp_path / "clone" / "dvc.yaml").write_text(stages)
    run("git", "add", "--all")
    run("git", "-c", "user.name=somebody", "-c", "user.email=somebody@localhost", "commit", "--quiet", "--message", "start")
    for x in (2, 3, 4):
        run(sys.executable, "-m", "pipelines.repro.side_by_side", "-S", f"x={x}")
