"""Behavioural tests of classifiers: they detect a classifier by length alone, and hold for the served model."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.kinds.classification.evaluation.behaviour import SAME_NAME, invariance, letters_matter
from serving.predictors.classification import Classifier

NAMES = ["rossi", "müller", "o'neill", "wiśniewski", "lis", "ferrari"]
LABELS = ["it", "de", "ie", "pl", "pl", "it"]


def measure(names: Sequence[str]) -> list[str]:
    """Classifies by the length alone."""
    return ["long" if len(name) > 5 else "short" for name in names]


def ending(names: Sequence[str]) -> list[str]:
    """Classifies by the last character, without normalization."""
    return [name[-1] for name in names]


def test_the_served_model_normalizes_case_spaces_and_decomposition(bundles: dict[str, Path]) -> None:
    classifier = Classifier.load(bundles["classification"])

    def classify(names: Sequence[str]) -> list[str]:
        return [classifier.bundle.labels[i] for i in classifier.probabilities(names).argmax(axis=1)]

    shares = invariance(classify, NAMES, classify(NAMES))
    assert set(shares) == {f"same_{way}" for way in SAME_NAME}
    assert [shares[f"same_{way}"] for way in ("in_capitals", "with_spaces", "decomposed")] == [1, 1, 1]


def test_label_changes_are_counted_among_the_names_that_a_variant_changes() -> None:
    shares = invariance(ending, NAMES, ending(NAMES))
    assert shares["same_in_capitals"] == 0
    assert shares["same_without_accents"] == 1  # of two names with accents, neither at its end
    assert invariance(ending, ["rossi"], ["i"])["same_without_accents"] == 1


def test_a_classifier_by_length_keeps_its_accuracy_on_shuffled_names() -> None:
    train = {"text": NAMES, "label": measure(NAMES)}
    found = letters_matter(measure, NAMES, measure(NAMES), train, 0)
    assert found == {"shuffled_accuracy": 1, "length_accuracy": 1}


def test_a_classifier_by_letters_fails_on_shuffled_names() -> None:
    long = [name * 3 for name in NAMES]
    found = letters_matter(ending, long, ending(long), {"text": long, "label": ending(long)}, 0)
    assert found["shuffled_accuracy"] < 0.7
    assert found["length_accuracy"] == pytest.approx(1, abs=0.4)
