"""Plant a classic mistake in a copy of the project, and see whether the test that should catch it does.

    python lessons/labs/catch.py length-bias     one mistake
    python lessons/labs/catch.py                 all of them

Your own files stay as they are. To work with a mistake yourself, apply its patch: docs/labs/index.md says how.
Exit code: 0 if every mistake that was planted is caught, 1 if one is not.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple
from xml.etree import ElementTree

LABS: Final = Path(__file__).parent
ROOT: Final = LABS.parents[1]
ROOMS: Final = ("models", "pipelines", "serving", "lessons", "benchmarks", "tests", "data")
FILES: Final = ("params.yaml", "dvc.yaml", "pyproject.toml")
# How the message of a test begins that found something else than it expected. Other exceptions mean that the code broke. The last
# one is the message of the pipeline's own check, with which it refuses to go on.
ASSERTION: Final = (
    "AssertionError",
    "assert ",
    "Failed: DID NOT RAISE",
    "pipelines.stage.StageError: served forecasts differ from the evaluated ones",
)
# An exception of a group, as Python prints it.
EXCEPTION: Final = re.compile(r"^ *\| ((?:\w+\.)*\w+(?:Error|Exception): .*)$", re.MULTILINE)
# The mistake -> the test that catches it.
MISTAKES: Final[Mapping[str, str]] = {
    "leaky-split": "tests/pipelines/data/test_splits.py::test_groups_stay_together",
    "padding-in-the-loss": "tests/models/translation/test_translator.py::test_padding_changes_no_translation",
    "no-mask-in-attention": "tests/models/attention/test_attention_family.py::test_pooling_does_not_see_the_padding",
    "teacher-forcing-at-test-time": (
        "tests/models/translation/test_decoder.py::test_without_the_teacher_the_decoder_reads_its_own_units"
    ),
    "state-not-detached": "tests/models/recurrent/test_truncated.py::test_no_gradient_leaves_its_piece",
    "label-smoothing-in-evaluation": "tests/models/test_label_smoothing.py::test_an_evaluation_is_not_smoothed",
    "targets-off-by-one": "tests/models/test_next_unit.py::test_a_translator_predicts_the_next_unit",
    "length-bias": "tests/models/test_beam.py::test_scores_are_those_of_the_length_normalization_and_of_the_coverage",
    "int8-without-range": "tests/models/translation/test_int8.py::test_no_two_products_of_bytes_overflow_16_bits",
    "train-serve-skew": "tests/serving/test_forecasting_endpoint.py::test_served_forecasts_equal_those_of_the_evaluation",
    "look-ahead-in-standardization": (
        "tests/pipelines/kinds/forecasting/test_forecasting_leaks.py::test_normalization_uses_only_training_days"
    ),
}


class Outcome(NamedTuple):
    """The result of a run of pytest.

    Attributes:
        passed: number of tests that passed.
        failed: the message of each test that did not.
        output: what pytest printed.
    """

    passed: int
    failed: tuple[str, ...]
    output: str

    @property
    def by_assertion(self) -> bool:
        """Whether tests failed, and each because it found something else than it expected."""
        return bool(self.failed) and all(message.startswith(ASSERTION) for message in self.failed)


def copy_project(folder: Path) -> None:
    """Copy the tracked files that the tests need, as they are in the working tree."""
    command = ["git", "ls-files", "-z", *ROOMS, *FILES]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def plant(folder: Path, mistake: str) -> None:
    """Apply the patch of a mistake to a copy of the project."""
    command = ["git", "apply", "--recount", "-C1", str(LABS / f"{mistake}.patch")]
    outside = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}  # in a repository, git would look for its root
    subprocess.run(command, cwd=folder, env=outside, check=True)  # noqa: S603


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a copy of the project, whose modules come first on the path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603


def run_tests(folder: Path, *tests: str) -> Outcome:
    """Run tests of a copy of the project in a process of their own."""
    report = folder / "report.xml"
    done = run_python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *tests)
    if done.returncode > 1 or not report.exists():  # 0: passed, 1: failed; others: no such test, an interrupt
        raise SystemExit(f"pytest did not run:\n{done.stdout}\n{done.stderr}")
    cases = ElementTree.parse(report).getroot().iter("testcase")  # noqa: S314 - pytest wrote it
    found = [[message for child in case if child.tag in ("failure", "error") for message in messages(child)] for case in cases]
    return Outcome(found.count([]), tuple(message for case in found for message in case), done.stdout)


def messages(failure: ElementTree.Element) -> list[str]:
    """Return the messages of a failed test: several where Hypothesis found several ways to fail."""
    message = failure.get("message", "")
    if not message.startswith("ExceptionGroup: "):
        return [message]
    return EXCEPTION.findall(failure.text or "") or [message]


def outcome(mistake: str) -> Outcome:
    """Run the test of a mistake in a copy of the project that has the mistake."""
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        copy_project(folder)
        plant(folder, mistake)
        return run_tests(folder, MISTAKES[mistake])


def main(arguments: Sequence[str] | None = None) -> int:
    """Plant what the command line names, and tell what is caught."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mistakes", nargs="*", metavar="mistake", help=f"{', '.join(MISTAKES)}; all if none is given")
    chosen = parser.parse_args(arguments).mistakes or list(MISTAKES)
    if unknown := [mistake for mistake in chosen if mistake not in MISTAKES]:
        parser.error(f"there is no mistake {unknown[0]!r}; there are {', '.join(MISTAKES)}")
    caught = 0
    for mistake in chosen:
        found = outcome(mistake)
        caught += found.by_assertion
        print(f"{mistake}: {'caught' if found.by_assertion else 'NOT caught'} by {MISTAKES[mistake]}", flush=True)
        for message in found.failed[:1]:
            print(f"    {message.splitlines()[0]}")
    return int(caught < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
