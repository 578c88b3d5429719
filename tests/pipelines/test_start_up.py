"""Stages begin at once: none imports at its start what takes long and is needed later, or in another process, or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

HEAVY = {
    "lightning_fabric",
    "matplotlib",
    "mlflow",
    "numba",
    "onnx",
    "onnxscript",
    "pandas",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "torch",
    "torchmetrics",
}
LIGHT: set[str] = set()
TORCH = {"torch"}
TRAINING = TORCH | {"lightning_fabric"} | {"torchmetrics", "scipy", "matplotlib"}  # the latter by lightning_fabric
EXPORTING = TORCH | {"onnx", "onnxscript"}
# What each module may import; those behind the stages are what a stage imports once it knows what it works on.
ALLOWED = {
    "compare": LIGHT,
    "describe": LIGHT,
    "download": LIGHT,
    "embed": LIGHT,
    "evaluate": LIGHT,
    "export": EXPORTING,
    "export_vectors": EXPORTING,
    "package": LIGHT,
    "preflight": LIGHT,
    "prepare": LIGHT,
    "register": LIGHT,
    "report": LIGHT,
    "side_by_side": LIGHT,
    "train": TRAINING,
    "embedding.kernels": {"numba", "scipy"},  # scipy by numba
    "evaluation.classification": {"pandas", "scipy", "sklearn"},
    "evaluation.contexts": LIGHT,
    "evaluation.generation": LIGHT,
    "evaluation.translation": {"matplotlib"},
    "evaluation.vectors": LIGHT,
    "packaging.examples": LIGHT,
    "tracking": LIGHT,
}
LIST = "import sys, pipelines.{}; print(*{{name.partition('.')[0] for name in sys.modules}})"


@pytest.mark.parametrize("module", ALLOWED)
def test_a_stage_imports_at_its_start_nothing_heavy_but_what_it_begins_with(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", LIST.format(module)], capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} & HEAVY <= ALLOWED[module]


def test_every_stage_is_looked_at() -> None:
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    modules = {stage.get("do", stage)["cmd"].split()[2].removeprefix("pipelines.") for stage in stages}
    assert modules <= ALLOWED.keys()
