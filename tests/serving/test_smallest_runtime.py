"""The oldest ONNX Runtime that pyproject.toml allows gives the same answers for every kind of bundle."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from asking import assert_same

from serving.predictor import load_predictor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[2]
OLDEST = "1.20.0" if sys.version_info >= (3, 13) else "1.19.0"  # from pyproject.toml, or the first with a wheel for Python 3.13
REQUESTS: dict[str, dict[str, Any]] = {
    "classification": {"inputs": ["Rossi", "De Luca"]},
    "sentiment": {"inputs": ["a good film", "a dull ending"]},
    "generation": {"inputs": "Ro", "parameters": {"seed": 1}},
    "translation": {"inputs": "Un chien court. Le chat dort.", "parameters": {"attention": True, "num_return_sequences": 2}},
    "vectors": {"inputs": "Rossi"},
}
ASK = """
import json, sys
from pathlib import Path
import onnxruntime
from serving.predictor import load_predictor

asked = json.load(sys.stdin)
replies = {folder: load_predictor(Path(folder)).answer([request])[0] for folder, request in asked}
print(json.dumps({"version": onnxruntime.__version__, "bodies": {folder: reply.body for folder, reply in replies.items()}}))
"""


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this version, to import it from."""
    folder = tmp_path_factory.mktemp("oldest")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", f"onnxruntime=={OLDEST}"]
    done = subprocess.run([*pip, "--dest", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"onnxruntime {OLDEST} is not available: {done.stderr.strip().splitlines()[-1]}")
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder)
    return folder


def test_it_gives_the_same_answers_as_the_installed_version(oldest: Path, bundles: dict[str, Path]) -> None:
    asked = [(str(bundles[kind]), request) for kind, request in REQUESTS.items()]
    environment = {**os.environ, "PYTHONPATH": f"{oldest}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", ASK], input=json.dumps(asked), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["version"] == OLDEST
    for folder, request in asked:
        (expected,) = load_predictor(Path(folder)).answer([request])
        assert expected.status == 200
        assert_same(found["bodies"][folder], json.loads(json.dumps(expected.body)))
