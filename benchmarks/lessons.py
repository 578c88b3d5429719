"""Runs the lessons and the labs: `python -m benchmarks.lessons [--seeds 5] [lesson ...] [mistakes]`, everything by default.

Each lesson first runs with --smoke in an empty folder, where it has to download its data. Then it runs in full once per seed,
with that data, on one core; there are as many lessons at a time as cores. Its last line says whether the result lies in the
interval that the lesson states. `mistakes` plants the mistakes of lessons/labs, each in a copy of the project, and runs the tests
that should catch them.

The figures:

- NAME_s, NAME_slowest_s, NAME_lowest and NAME_highest for each lesson: median and longest duration, without the download, and the
  lowest and the highest result; none if a run fails;
- lessons_seeds: number of seeds;
- lessons_run: number of lessons whose runs all succeeded;
- slowest_lesson_s: the longest of all durations;
- lessons_in_interval: number of lessons with all results in their intervals;
- mistakes_planted: number of mistakes in lessons/labs;
- mistakes_caught: number of mistakes whose test fails by an assertion.

Those over all lessons also count the lessons that are not named, by their latest figures.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

from lessons.labs.catch import MISTAKES, outcome
from pipelines.report.record import RESULTS, Figures, record

LESSONS = Path("lessons").resolve()
LABS = "mistakes"
PACKAGES = ("matplotlib", "numpy", "torch")
EXPECTED = re.compile(r"^EXPECTED = \(([\d.]+), ([\d.]+)\)", re.MULTILINE)
LINE = re.compile(r"^RESULT lesson=\w+ metric=\w+ value=(\S+) .* within=(yes|no)$", re.MULTILINE)


class Run(NamedTuple):
    """A successful run of a lesson.

    Attributes:
        seconds: duration.
        value: the lesson's result.
        within: whether the result lies in the interval that the lesson states.
    """

    seconds: float
    value: float
    within: bool


def run(lesson: str, folder: Path, *options: str) -> Run | None:
    """Run a lesson in a folder, without the project on Python's path. On failure, print its stderr and return None."""
    command = [sys.executable, "-I", str(LESSONS / f"{lesson}.py"), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    start = perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    seconds, found = perf_counter() - start, LINE.findall(done.stdout)
    if done.returncode or len(found) != 1:
        print(f"{lesson} failed:\n{done.stderr[-2000:]}", file=sys.stderr)  # noqa: T201
        return None
    ((value, within),) = found
    print(f"{lesson} {' '.join(options)}: {float(value):.3f} in {seconds:.1f} s, within={within}", flush=True)  # noqa: T201
    return Run(seconds, float(value), within == "yes")


def measure(lesson: str, seeds: int) -> list[Run]:
    """Return the successful full runs of a lesson: fewer than `seeds` if some fail."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        if run(lesson, folder, "--smoke") is None:
            return []
        runs = [run(lesson, folder, "--seed", str(seed)) for seed in range(1, seeds + 1)]
    return [one for one in runs if one is not None]


def figures_of(lesson: str, runs: Sequence[Run], seeds: int) -> Figures:
    """The figures of a lesson."""
    if len(runs) < seeds:
        return {}
    return {
        f"{lesson}_s": median(one.seconds for one in runs),
        f"{lesson}_slowest_s": max(one.seconds for one in runs),
        f"{lesson}_lowest": min(one.value for one in runs),
        f"{lesson}_highest": max(one.value for one in runs),
    }


def over_all(figures: Figures) -> Figures:
    """The figures over all lessons that have their own."""
    complete = [lesson for lesson in names() if f"{lesson}_slowest_s" in figures]
    within = [
        lesson
        for lesson in complete
        if expected(lesson)[0] <= figures[f"{lesson}_lowest"] and figures[f"{lesson}_highest"] <= expected(lesson)[1]
    ]
    slowest = max((figures[f"{lesson}_slowest_s"] for lesson in complete), default=0.0)
    return {"lessons_run": len(complete), "lessons_in_interval": len(within), "slowest_lesson_s": slowest}


def expected(lesson: str) -> tuple[float, float]:
    """The interval that a lesson states."""
    found = EXPECTED.search((LESSONS / f"{lesson}.py").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{lesson}.py states no interval")
    return float(found[1]), float(found[2])


def catch_mistakes() -> Figures:
    """Plant every mistake of the labs, and count those that their tests catch."""
    caught = 0
    for mistake in MISTAKES:
        found = outcome(mistake).by_assertion
        caught += found
        print(f"{mistake}: {'caught' if found else 'not caught'}", flush=True)  # noqa: T201
    return {"mistakes_planted": len(MISTAKES), "mistakes_caught": caught}


def known_without(lessons: Sequence[str]) -> Figures:
    """The figures of earlier runs, but not those of these lessons."""
    path = RESULTS / "teaching.json"
    content = json.loads(path.read_text(encoding="utf-8"))["figures"] if path.exists() else {}
    return {key: value for key, value in content.items() if not key.startswith(tuple(f"{lesson}_" for lesson in lessons))}


def names() -> list[str]:
    """Return the names of all lessons."""
    return sorted(path.stem for path in LESSONS.glob("*.py"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the lessons named on the command line, and the mistakes if these are named; everything if nothing is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lessons", description="Run the lessons in full.")
    parser.add_argument("lessons", nargs="*", metavar="lesson", help=f"a lesson, or `{LABS}`; default: all")
    parser.add_argument("--seeds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    parts = chosen.lessons or [*names(), LABS]
    if unknown := set(parts) - {*names(), LABS}:
        parser.error(f"unknown lesson: {', '.join(sorted(unknown))}; the lessons are {', '.join(names())}")
    lessons = [lesson for lesson in parts if lesson != LABS]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as side_by_side:
        results = dict(zip(lessons, side_by_side.map(lambda lesson: measure(lesson, chosen.seeds), lessons), strict=True))
    command = " ".join(["python -m benchmarks.lessons", *chosen.lessons, "--seeds", str(chosen.seeds)])
    figures: Figures = {"lessons_seeds": chosen.seeds} if lessons else {}
    for lesson, runs in results.items():
        figures |= figures_of(lesson, runs, chosen.seeds)
    if lessons:
        figures |= over_all({**known_without(lessons), **figures})
    record("teaching", command, PACKAGES, figures | (catch_mistakes() if LABS in parts else {}))


if __name__ == "__main__":
    main()
