"""Registered models of all kinds answer texts of any length according to the contract."""

import re
import tomllib
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from pipelines.stages.register import NEEDED, register
from serving.bundle import Bundle
from serving.predictor import load_predictor

TEXTS = {
    "classification": ["Rossi", "O", "Maximilianova"],
    "sentiment": ["a good film", "dull", "a film that is good and a film that is bad"],
    "generation": ["Ro", "", "Rossi"],
    "translation": ["un chien court", "la porte est fermée et le chien court"],
    "vectors": ["king", "queen"],
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URI of an empty registry."""
    return f"sqlite:///{tmp_path_factory.mktemp('registry') / 'mlflow.db'}"


@pytest.fixture(scope="module")
def served(bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind -> folder of a bundle, including word vectors."""
    folder = tmp_path_factory.mktemp("served") / "vectors"
    matrix = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    WordVectors(WordVocabulary(["king", "queen", "film"], [3, 2, 1]), matrix, {}).save(folder / "random")
    Bundle.write(folder, task="vectors", kind="vectors", methods=("random",), max_length=20)
    return {**bundles, "vectors": folder}


@pytest.fixture(scope="module")
def registered(registry: str, served: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Kind -> the model loaded by MLflow."""
    mlflow.set_tracking_uri(registry)
    client = MlflowClient(registry)
    experiment = client.create_experiment("registered", artifact_location=str(tmp_path_factory.mktemp("artifacts")))
    loaded = {}
    for kind, folder in served.items():
        number = register(client.create_run(experiment).info.run_id, kind, str(folder))
        loaded[kind] = mlflow.pyfunc.load_model(f"models:/seqline-{kind}/{number}")
    return loaded


@pytest.mark.slow
@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("number", [1, 2])
def test_texts_are_answered_according_to_the_contract(
    kind: str, number: int, registered: dict[str, Any], served: dict[str, Path]
) -> None:
    texts, seeded = TEXTS[kind][-number:], '{"seed": 1}' if kind == "generation" else "{}"
    body = {"inputs": texts} | ({"parameters": {"seed": 1}} if kind == "generation" else {})
    (expected,) = load_predictor(served[kind]).answer([body])
    assert registered[kind].predict(texts, params={"parameters": seeded}) == expected.body


@pytest.mark.slow
def test_errors_have_the_codes_of_the_contract(registered: dict[str, Any]) -> None:
    with pytest.raises(MlflowException, match=r"unknown_parameter: .*did you mean"):
        registered["classification"].predict(["Rossi"], params={"parameters": '{"top": 1}'})
    with pytest.raises(MlflowException, match="empty_input"):
        registered["classification"].predict([""])


def test_requirements_are_those_of_serving_without_the_command_line() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[<>=~]", requirement)[0] for requirement in project["dependencies"]}
    assert {*NEEDED} == (needed - {"pyyaml", "rich", "typer"}) | {"mlflow"}
