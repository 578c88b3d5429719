"""A profile, of some stages alone."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dvc.utils.hydra import apply_overrides

from pipelines.record import Figures


def run_profile(name: str, clone: Path, stages: Sequence[str], *overrides: str) -> None:
    """Run stages of a profile in a clone, with further overrides.

    Not by `dvc exp run`: an experiment of some stages ends with an error where the others' outputs are not in the cache.
    """
    lines = (line.partition("#")[0].strip() for line in (clone / f"profiles/{name}.txt").read_text(encoding="utf-8").splitlines())
    apply_overrides(clone / "params.yaml", [*filter(None, lines), *overrides])
    subprocess.run([sys.executable, "-m", "dvc", "repro", *stages], cwd=clone, check=True)  # noqa: S603


def measured(clone: Path, task: str) -> Figures:
    """What the evaluation of a task has written."""
    figures: Figures = json.loads((clone / f"metrics/{task}.json").read_text(encoding="utf-8"))
    return figures
