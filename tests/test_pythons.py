"""make accepts the supported Pythons and refuses the others before it installs anything."""

import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
SUPPORTED = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"])
# The requirement of MLServer 1.7.1.
MLSERVER = SUPPORTED & SpecifierSet(">=3.9,<3.13")
MINORS = range(8, 17)


def stand_in(path: Path, minor: int) -> Path:
    """This Python under the guise of 3.`minor`. Environments that it creates contain only itself, and it runs no modules."""
    path.write_text(
        f"""#!/bin/sh
case "$1 $2" in
"-c "*) exec {sys.executable} -c "import sys; sys.version_info = (3, {minor}, 0); $2" ;;
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
esac
""",
        encoding="utf-8",
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def make(folder: Path, goal: str, **variables: Path) -> subprocess.CompletedProcess[str]:
    """Run make with the environment `folder`/venv."""
    given = [f"{name}={value}" for name, value in {"VENV": folder / "venv", **variables}.items()]
    command = ["make", *given, goal]
    return subprocess.run(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The single line with the reason, without the line that make adds."""
    assert done.returncode
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("make: ")]
    return line


TAKES = {
    "test-fast": (SUPPORTED, "error: Python 3.11, 3.12 or 3.13 is needed, and {} is none of them; name one: "),
    "test": (MLSERVER, "error: MLServer installs on Python 3.11 and 3.12 alone, and {} is neither; name one: "),
}


@pytest.mark.parametrize(
    ("goal", "minor"),
    [*(("test-fast", minor) for minor in MINORS), *(("test", minor) for minor in MINORS if SUPPORTED.contains(f"3.{minor}"))],
)
def test_a_target_runs_only_on_its_supported_pythons(goal: str, minor: int, tmp_path: Path) -> None:
    python, (taken, why) = stand_in(tmp_path / "python", minor), TAKES[goal]
    done = make(tmp_path, goal, PYTHON=python)
    if taken.contains(f"3.{minor}"):
        assert done.returncode == 0, done.stderr
    else:
        assert refusal(done).startswith(why.format(python))
    assert (tmp_path / "venv").exists() is taken.contains(f"3.{minor}")


def test_mlserver_can_use_another_python(tmp_path: Path) -> None:
    python, other = stand_in(tmp_path / "python", 13), stand_in(tmp_path / "other", 12)
    assert make(tmp_path, "test", PYTHON=python, MLSERVER_PYTHON=other).returncode == 0
    assert (tmp_path / "venv-open-inference/bin/python").read_bytes() == other.read_bytes()
    assert (tmp_path / "venv/bin/python").read_bytes() == python.read_bytes()


def test_an_existing_environment_without_mlserver_says_so(tmp_path: Path) -> None:
    """The environment was created for another target."""
    assert make(tmp_path, "test-fast", PYTHON=stand_in(tmp_path / "python", 13)).returncode == 0
    done = make(tmp_path, "serve-open-inference")
    assert "error: MLServer installs on Python 3.11 and 3.12 alone" in done.stderr
    assert not (tmp_path / "venv-open-inference").exists()
