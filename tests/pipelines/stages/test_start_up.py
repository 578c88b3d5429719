"""Stages start fast: none imports slow modules at start that it needs only later, in another process, or not at all."""

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
LINEAR = {"pandas", "scipy", "sklearn"}  # the baseline
EXPORTING = TORCH | {"onnx", "onnxscript"}
# What each module may import at start. The modules that are not stages are imported by a stage once it has read its settings.
ALLOWED = {
    "stages.compare": LIGHT,
    "stages.describe": LIGHT,
    "stages.download": LIGHT,
    "stages.embed": LIGHT,
    "stages.evaluate": LIGHT,
    "stages.export": EXPORTING,
    "stages.export_vectors": EXPORTING,
    "stages.package": LIGHT,
    "repro.preflight": LIGHT,
    "stages.prepare": LIGHT,
    "stages.prepare_corpus": LIGHT,
    "stages.register": LIGHT,
    "report.pages": LIGHT,
    "repro.side_by_side": LIGHT,
    "stages.train": TRAINING,
    "embedding.kernels": {"numba", "scipy"},  # scipy by numba
    "evaluation.comovements": LIGHT,
    "evaluation.contexts": LIGHT,
    "evaluation.vectors": LIGHT,
    "kinds.classification.evaluation": LINEAR,
    "kinds.generation.evaluation": LINEAR,
    "kinds.translation.evaluation": {"matplotlib"},
    "packaging.examples": LIGHT,
    "tracking.runs": LIGHT,
}
LIST = "import sys, pipelines.{}; print(*{{name.partition('.')[0] for name in sys.modules}})"


@pytest.mark.parametrize("module", ALLOWED)
def test_a_stage_imports_only_allowed_heavy_modules_at_start(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", LIST.format(module)], capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} & HEAVY <= ALLOWED[module]


def test_every_stage_is_checked() -> None:
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    modules = {stage.get("do", stage)["cmd"].split()[2].removeprefix("pipelines.") for stage in stages}
    assert modules <= ALLOWED.keys()
