"""The classifier whose results are committed behaves: how a name is written does not change its label, what it says does."""

import json
from pathlib import Path

import pytest

METRICS = Path(__file__).parents[1] / "metrics"


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
