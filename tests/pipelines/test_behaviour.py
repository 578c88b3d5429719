"""Behavioural tests of classifiers: they tell a reader of letters from one that only measures, and hold for what is served."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.evaluation.behaviour import SAME_NAME, invariance, letters_matter
from serving.predictors.classification import Classifier

NAMES = ["rossi", "müller", "o'neill", "wiśniewski", "lis", "ferrari"]
LABELS = ["it", "de", "ie", "pl", "pl", "it"]


def measure(names: Sequence[str]) -> list[str]:
    """Looks at nothing but the length."""
    return ["long" if len(name) > 5 else "short" for name in names]


def ending(names: Sequence[str]) -> list[str]:
    """Looks at the last character as it is."""
    return [name[-1] for name in names]


def test_what_is_served_reads_a_name_the_same_in_capitals_with_spaces_and_decomposed(bundles: dict[str, Path]) -> None:
    classifier = Classifier.load(bundles["classification"])

    def classify(names: Sequence[str]) -> list[str]:
        return [classifier.bundle.labels[i] for i in classifier.probabilities(names).argmax(axis=1)]

    shares = invariance(classify, NAMES, classify(NAMES))
    assert set(shares) == {f"same_{way}" for way in SAME_NAME}
    assert [shares[f"same_{way}"] for way in ("in_capitals", "with_spaces", "decomposed")] == [1, 1, 1]


def test_a_change_of_labels_is_counted_among_the_names_that_are_written_differently() -> None:
    shares = invariance(ending, NAMES, ending(NAMES))
    assert shares["same_in_capitals"] == 0
    assert shares["same_without_accents"] == 1  # of two names with accents, neither at its end
    assert invariance(ending, ["rossi"], ["i"])["same_without_accents"] == 1


def test_a_length_detector_is_found_out() -> None:
    train = {"name": NAMES, "label": measure(NAMES)}
    found = letters_matter(measure, NAMES, measure(NAMES), train, 0)
    assert found == {"shuffled_accuracy": 1, "length_accuracy": 1}


def test_a_reader_of_letters_fails_on_shuffled_names() -> None:
    long = [name * 3 for name in NAMES]
    found = letters_matter(ending, long, ending(long), {"name": long, "label": ending(long)}, 0)
    assert found["shuffled_accuracy"] < 0.7
    assert found["length_accuracy"] == pytest.approx(1, abs=0.4)
