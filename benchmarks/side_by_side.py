"""Speedup of `make repro JOBS=2` over `JOBS=1`: `python -m benchmarks.side_by_side`.

Times the trainings of three tasks of the default profile, each about a minute or less on two cores. The fourth, fr-en, takes
longer than the others together and would dominate the result. Their inputs are built first. Each attempt has a slightly
different weight decay, so that DVC cannot reuse outputs.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from benchmarks.pipeline import fresh_clone
from benchmarks.timing import stopwatch
from pipelines.report.record import Figures

TASKS = ("surname", "names", "sentiment")
HAIR = 1e-6  # relative change of the weight decay, too small to affect the duration


def time_jobs(jobs: Sequence[int] = (1, 2), tasks: Sequence[str] = TASKS) -> dict[int, float]:
    """Time `make repro` for the trainings of some tasks, in a clone of the last commit, with this environment.

    Args:
        jobs: numbers of parallel stages to compare.
        tasks: tasks to train.

    Returns:
        Number of parallel stages -> seconds.

    Raises:
        CalledProcessError: `make repro` failed.
    """
    seconds = list[float]()
    with fresh_clone() as clone:
        _repro(clone, [f"prepare@{task}" for task in tasks], max(jobs))
        for attempt, at_once in enumerate(jobs, start=1):
            _change(clone / "params.yaml", tasks, attempt)
            with stopwatch(seconds):
                _repro(clone, [f"train@{task}" for task in tasks], at_once)
    return dict(zip(jobs, seconds, strict=True))


def figures(seconds: dict[int, float]) -> Figures:
    """Return the speedup and the seconds behind it."""
    return {"jobs1_s": seconds[1], "jobs2_s": seconds[2], "jobs2_speedup": seconds[1] / seconds[2]}


def _change(path: Path, tasks: Sequence[str], attempt: int) -> None:
    """Change the params of these tasks, so that their trainings have not been run before."""
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    for task in tasks:
        params["tasks"][task]["train"]["weight_decay"] *= 1 + attempt * HAIR
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def _repro(clone: Path, stages: Sequence[str], jobs: int) -> None:
    # --old-file: do not reinstall the environment, although the clone's files are newer.
    environment = [f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.installed"]
    command = ["make", "repro", f"STAGES={' '.join(stages)}", f"JOBS={jobs}", *environment]
    free = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}  # use all cores
    subprocess.run(command, cwd=clone, env=free, check=True)  # noqa: S603


if __name__ == "__main__":
    sys.stdout.write(json.dumps(figures(time_jobs())) + "\n")
