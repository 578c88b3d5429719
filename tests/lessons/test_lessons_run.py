"""Smoke runs of each lesson from an empty folder; the last line is machine-readable."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from lesson_files import LESSONS, options_of

RESULT = re.compile(
    r"^RESULT lesson=(\w+) metric=\w+ value=(\S+) baseline=(\S+) expected=([\d.]+)\.\.([\d.]+) within=(yes|no)$", re.MULTILINE
)
pytestmark = pytest.mark.slow


def run(lesson: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run isolated: neither the folder nor the lesson's own folder is on Python's path."""
    command = [sys.executable, "-I", str(lesson), "--smoke", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_runs_standalone_and_prints_its_result(lesson: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = run(lesson, empty, *options_of(lesson.stem, tmp_path))
    assert done.returncode == 0, done.stderr
    (result,) = RESULT.findall(done.stdout)
    name, value, _baseline, low, high, within = result
    assert name == lesson.stem
    assert within == ("yes" if float(low) <= float(value) <= float(high) else "no")
    assert [path.name for path in (empty / "lesson-output").iterdir()] == [f"{lesson.stem}.png"]
    assert [path.name for path in empty.iterdir()] == ["lesson-output"], "own data needs no download"


def test_typed_input_is_answered(tmp_path: Path) -> None:
    lesson = next(path for path in LESSONS if path.stem == "char_rnn_classification")
    done = run(lesson, tmp_path, *options_of(lesson.stem, tmp_path), "--try", "Rossini", "--try", "Nowacki")
    assert re.search(r"^Rossini: .*\d\.\d\d", done.stdout, re.MULTILINE)
    assert re.search(r"^Nowacki: .*\d\.\d\d", done.stdout, re.MULTILINE)


def test_check_fails_outside_of_the_interval(tmp_path: Path) -> None:
    lesson = next(path for path in LESSONS if path.stem == "attention")
    done = run(lesson, tmp_path, "--check")  # after one small epoch no date is right
    assert "within=no" in done.stdout
    assert done.returncode == 1
