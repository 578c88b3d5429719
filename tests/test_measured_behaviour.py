"""The committed results show that the models behave as intended.

The classifier's label does not depend on how a name is written, and the best word vectors are served.
"""

import json
from pathlib import Path

import pytest

from pipelines.settings.params import load_params

ROOT = Path(__file__).parents[1]
METRICS = ROOT / "metrics"


@pytest.fixture(scope="module")
def surname() -> dict[str, float]:
    content: dict[str, float] = json.loads((METRICS / "surname.json").read_text(encoding="utf-8"))
    return content


def test_case_spaces_and_accent_encoding_do_not_change_the_label(surname: dict[str, float]) -> None:
    assert surname["same_in_capitals"] >= 0.999  # "ß" in capitals is "SS", which makes another name
    assert surname["same_with_spaces"] == surname["same_decomposed"] == 1


def test_most_names_keep_their_label_without_their_accents(surname: dict[str, float]) -> None:
    assert surname["same_without_accents"] > 0.85


def test_the_model_does_not_just_detect_length(surname: dict[str, float]) -> None:
    assert surname["length_accuracy"] < surname["shuffled_accuracy"] < surname["accuracy"] / 1.5


def test_its_probabilities_are_calibrated(surname: dict[str, float]) -> None:
    assert surname["ece"] <= max(0.03, surname["uncalibrated_ece"])


def test_the_served_word_vectors_are_the_best_at_semantic_analogies() -> None:
    measured = json.loads((METRICS / "vectors.json").read_text(encoding="utf-8"))
    semantic = {key.removesuffix(".semantic"): value for key, value in measured.items() if key.endswith(".semantic")}
    assert len(semantic) > 2
    assert (
        load_params(ROOT / "params.yaml").vectors["vectors"].export.known == f"vectors/{max(semantic, key=semantic.__getitem__)}"
    )


def test_well_known_analogies_are_correct() -> None:
    document = json.loads((ROOT / "serving/openapi.json").read_text(encoding="utf-8"))
    operation = document["paths"]["/predictions/vectors"]["post"]
    sides = (operation["requestBody"], operation["responses"]["200"])
    asked, answered = (side["content"]["application/json"]["examples"] for side in sides)
    found = {
        text: answer["nearest"][0]["word"]
        for name, request in asked.items()
        if isinstance(request["value"]["inputs"], list) and request["value"]["parameters"].get("question") == "analogy"
        for text, answer in zip(request["value"]["inputs"], answered[name]["value"], strict=True)
    }
    assert found == {"man king woman": "queen", "france paris germany": "berlin"}
