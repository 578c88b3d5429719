"""What `make repro JOBS=2` gains over `JOBS=1`: `python -m benchmarks.side_by_side`.

The matrix stages that are timed are the default profile's trainings of three tasks, each of about a minute or less on two
cores. The fourth, fr-en's, takes longer than all of them together: with it, the time would be that of one stage. What they need
is made before. Each attempt has a weight decay that differs by a hair from all others', so that DVC has no outputs of it yet.
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
from pipelines.record import Figures

TASKS = ("surname", "names", "sentiment")
HAIR = 1e-6  # too little to change what training takes


def time_jobs(jobs: Sequence[int] = (1, 2), tasks: Sequence[str] = TASKS) -> dict[int, float]:
    """Time `make repro` of some tasks' trainings in a clone of the last commit, with this environment.

    Args:
        jobs: numbers of stages at a time to compare.
        tasks: whose trainings.

    Returns:
        the number of stages at a time -> seconds.

    Raises:
        CalledProcessError: `make repro` failed.
    """
    seconds = list[float]()
    with fresh_clone() as clone:
        _repro(clone, ["prepare-sentiment" if task == "sentiment" else f"prepare@{task}" for task in tasks], max(jobs))
        for attempt, at_once in enumerate(jobs, start=1):
            _change(clone / "params.yaml", tasks, attempt)
            with stopwatch(seconds):
                _repro(clone, [f"train@{task}" for task in tasks], at_once)
    return dict(zip(jobs, seconds, strict=True))


def figures(seconds: dict[int, float]) -> Figures:
    """The gain, and what it comes from."""
    return {"jobs1_s": seconds[1], "jobs2_s": seconds[2], "jobs2_speedup": seconds[1] / seconds[2]}


def _change(path: Path, tasks: Sequence[str], attempt: int) -> None:
    """Make the trainings of these tasks ones that have not been run."""
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    for task in tasks:
        params[task]["train"]["weight_decay"] *= 1 + attempt * HAIR
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def _repro(clone: Path, stages: Sequence[str], jobs: int) -> None:
    # --old-file: this environment is complete, whatever the age of the clone's files.
    environment = [f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.installed"]
    command = ["make", "repro", f"STAGES={' '.join(stages)}", f"JOBS={jobs}", *environment]
    free = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}  # all cores are to be used
    subprocess.run(command, cwd=clone, env=free, check=True)  # noqa: S603


if __name__ == "__main__":
    sys.stdout.write(json.dumps(figures(time_jobs())) + "\n")
