"""make takes the Pythons that are supported, and refuses the others before it installs anything."""

import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
SUPPORTED = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"])
# By MLServer 1.7.1 itself.
MLSERVER = SUPPORTED & SpecifierSet(">=3.9,<3.13")
MINORS = range(8, 17)


def stand_in(path: Path, minor: int) -> Path:
    """The Python of these tests as if it were 3.`minor`; an environment that it makes holds itself alone, and no module runs."""
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
    """Runs make with the environment `folder`/venv."""
    given = [f"{name}={value}" for name, value in {"VENV": folder / "venv", **variables}.items()]
    command = ["make", *given, goal]
    return subprocess.run(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says why, without the one that make adds."""
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
def test_a_goal_runs_on_the_pythons_that_it_can_run_on(goal: str, minor: int, tmp_path: Path) -> None:
    python, (taken, why) = stand_in(tmp_path / "python", minor), TAKES[goal]
    done = make(tmp_path, goal, PYTHON=python)
    if taken.contains(f"3.{minor}"):
        assert done.returncode == 0, done.stderr
    else:
        assert refusal(done).startswith(why.format(python))
    assert (tmp_path / "venv").exists() is taken.contains(f"3.{minor}")


def test_mlserver_may_have_a_python_of_its_own(tmp_path: Path) -> None:
    python, other = stand_in(tmp_path / "python", 13), stand_in(tmp_path / "other", 12)
    assert make(tmp_path, "test", PYTHON=python, MLSERVER_PYTHON=other).returncode == 0
    assert (tmp_path / "venv-open-inference/bin/python").read_bytes() == other.read_bytes()
    assert (tmp_path / "venv/bin/python").read_bytes() == python.read_bytes()


def test_an_environment_without_mlserver_says_so_too(tmp_path: Path) -> None:
    """One that is there already, made for another target."""
    assert make(tmp_path, "test-fast", PYTHON=stand_in(tmp_path / "python", 13)).returncode == 0
    done = make(tmp_path, "serve-open-inference")
    assert "error: MLServer installs on Python 3.11 and 3.12 alone" in done.stderr
    assert not (tmp_path / "venv-open-inference").exists()
