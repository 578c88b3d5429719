"""The committed results are those of models that behave.

How a name is written does not change the classifier's label, what it says does; the word vectors that are served are the best.
"""

import json
from pathlib import Path
from typing import get_args

import pytest

from pipelines.params import load_params
from pipelines.settings.vectors import VectorsExport

ROOT = Path(__file__).parents[1]
METRICS = ROOT / "metrics"


@pytest.fixture(scope="module")
def surname() -> dict[str, float]:
    content: dict[str, float] = json.loads((METRICS / "surname.json").read_text(encoding="utf-8"))
    return content


def test_case_spaces_and_the_form_of_accents_leave_the_label(surname: dict[str, float]) -> None:
    assert surname["same_in_capitals"] >= 0.999  # "ß" in capitals is "SS", which is another name
    assert surname["same_with_spaces"] == surname["same_decomposed"] == 1


def test_most_names_keep_their_label_without_their_accents(surname: dict[str, float]) -> None:
    assert surname["same_without_accents"] > 0.85


def test_the_model_is_no_length_detector(surname: dict[str, float]) -> None:
    assert surname["length_accuracy"] < surname["shuffled_accuracy"] < surname["accuracy"] / 1.5


def test_its_probabilities_are_calibrated(surname: dict[str, float]) -> None:
    assert surname["ece"] <= max(0.03, surname["uncalibrated_ece"])


def test_the_served_word_vectors_are_the_best_at_semantic_analogies() -> None:
    measured = json.loads((METRICS / "vectors.json").read_text(encoding="utf-8"))
    choices = {key: get_args(VectorsExport.model_fields[key].annotation) for key in ("known", "unknown")}
    semantic = {method: measured[f"{method}.semantic"] for method in (*choices["known"], *choices["unknown"])}
    assert load_params(ROOT / "params.yaml").vectors.export.known == max(semantic, key=lambda method: semantic[method])


def test_the_first_analogies_that_people_try_come_out_right() -> None:
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
