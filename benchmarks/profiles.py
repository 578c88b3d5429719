"""Runs selected stages of a profile."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dvc.utils.hydra import apply_overrides

from pipelines.report.record import Figures


def run_profile(name: str, clone: Path, stages: Sequence[str], *overrides: str) -> None:
    """Run stages of a profile in a clone, with additional overrides.

    `dvc exp run` cannot do this: an experiment with selected stages fails if outputs of other stages are not in the cache.
    """
    lines = (line.partition("#")[0].strip() for line in (clone / f"profiles/{name}.txt").read_text(encoding="utf-8").splitlines())
    apply_overrides(clone / "params.yaml", [*filter(None, lines), *overrides])
    subprocess.run([sys.executable, "-m", "dvc", "repro", *stages], cwd=clone, check=True)  # noqa: S603


def measured(clone: Path, task: str) -> Figures:
    """Return the metrics written by the evaluation of a task."""
    figures: Figures = json.loads((clone / f"metrics/{task}.json").read_text(encoding="utf-8"))
    return figures
