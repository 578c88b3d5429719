"""What it means when an exported graph and the trained model differ, and what to do about it."""

import math
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from serving import cpu


@dataclass(frozen=True)
class Gap:
    """The largest difference between torch and onnxruntime in one output, for one shape of the inputs."""

    output: str
    batch: int
    length: int
    size: float


def explain(path: Path, gap: Gap, tolerance: float, *, rounded: bool) -> str:
    """A message, in one line, for a difference above the tolerance.

    Args:
        path: the graph.
        gap: the largest difference.
        tolerance: what would be allowed.
        rounded: whether numbers are rounded to bytes in the graph.
    """
    where = f"output {gap.output!r}, batch size {gap.batch}, length {gap.length}"
    found = f"{path} differs from torch by {gap.size:.2g}, more than {tolerance} ({where})"
    meaning = "Served, it would give other answers than the model that was trained, and so it is not used"
    return f"{found}. {meaning}. {_causes(gap, rounded=rounded)}"


def _causes(gap: Gap, *, rounded: bool) -> str:
    versions = " and ".join(f"{package} {version(package)}" for package in ("torch", "onnxruntime"))
    if math.isnan(gap.size):
        return (
            "Something in it is not a number: most likely the training diverged. Look at its losses, lower the task's "
            "`train.learning_rate` or `train.clip_norm` in params.yaml, and train again"
        )
    if rounded:
        return (
            f"Its decoder computes in int8, so most likely {versions} disagree about bytes on this CPU ({cpu.described()}). "
            "Set the task's `export.weights: float32` in params.yaml and run `make repro` again; decoding then takes longer. "
            "If float32 differs too, int8 is not the cause: install the versions of constraints.txt"
        )
    return (
        f"Most likely {versions} are not the versions of constraints.txt, with which this was tested: install those. If they "
        "are, a part of the model that was changed is written in a way that the exporter fixes to its example's shape: compare "
        "it with the parts beside it in models/, and run tests/pipelines/test_*_export.py"
    )
