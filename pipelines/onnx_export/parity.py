"""Explains differences between an exported graph and the trained model, and how to fix them."""

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
    """A one-line message for a difference above the tolerance.

    Args:
        path: the graph.
        gap: the largest difference.
        tolerance: the largest allowed difference.
        rounded: whether the graph rounds numbers to bytes.
    """
    where = f"output {gap.output!r}, batch size {gap.batch}, length {gap.length}"
    found = f"{path} differs from torch by {gap.size:.2g}, more than {tolerance} ({where})"
    meaning = "It would give other answers than the trained model, so it is not used"
    return f"{found}. {meaning}. {_causes(gap, rounded=rounded)}"


def _causes(gap: Gap, *, rounded: bool) -> str:
    versions = " and ".join(f"{package} {version(package)}" for package in ("torch", "onnxruntime"))
    if math.isnan(gap.size):
        return (
            "An output is NaN: most likely the training diverged. Check its losses, lower the task's "
            "`train.learning_rate` or `train.clip_norm` in params.yaml, and train again"
        )
    if rounded:
        return (
            f"Its decoder computes in int8, so most likely {versions} compute int8 differently on this CPU ({cpu.described()}). "
            "Set the task's `export.weights: float32` in params.yaml and run `make repro` again; decoding is then slower. "
            "If float32 differs too, int8 is not the cause: install the versions of constraints.txt"
        )
    return (
        f"Most likely {versions} are not the tested versions in constraints.txt: install those. If they are, a changed part of "
        "the model is probably specialized to the example's shape by the exporter: compare it with similar parts in models/, "
        "and run the tests in tests/pipelines/onnx_export"
    )
