"""The script that gives pods the project's code: `sh workspace.sh REVISION`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from manifests import KUBERNETES

SCRIPT = KUBERNETES / "base" / "workspace.sh"


def git(folder: Path, *arguments: str) -> None:
    someone = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
    subprocess.run(["git", *someone, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with two commits, tagged v1 and v2."""
    folder = tmp_path / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n", encoding="utf-8")
    (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")
    git(folder, "init", "--initial-branch=main")
    for version in ("v1", "v2"):
        (folder / "dvc.lock").write_text(version, encoding="utf-8")
        git(folder, "add", "--all")
        git(folder, "commit", "--message", version)
        git(folder, "tag", version)
    return folder


def test_a_workspace_has_the_revision_and_keeps_its_cache(project: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    work = volume / "seqline"
    volume.mkdir()
    if os.geteuid() == 0:
        os.chown(volume, 12345, -1)  # like a volume's root, it belongs to another user
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = {
        "PATH": path,
        "REPOSITORY": str(project),
        "S3_BUCKET": "bucket",
        "HOME": str(tmp_path),
        "DVC_SITE_CACHE_DIR": str(tmp_path),
    }
    for revision in ("main", "v1"):
        subprocess.run(["sh", str(SCRIPT), revision], cwd=volume, env=given, check=True)
        found = (work / "dvc.lock").read_text(encoding="utf-8")
        assert found == {"main": "v2", "v1": "v1"}[revision]
        assert "url = s3://bucket/dvc" in (work / ".dvc" / "config.local").read_text(encoding="utf-8")
        (work / ".dvc" / "cache").mkdir(exist_ok=True)
        (work / ".dvc" / "cache" / revision).touch()
        (work / "dvc.lock").write_text("what a training wrote", encoding="utf-8")
    assert {entry.name for entry in (work / ".dvc" / "cache").iterdir()} == {"main", "v1"}
