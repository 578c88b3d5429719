"""Scores of a classifier: accuracy, F1 and calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from pipelines.evaluation.calibration import calibration_bins, expected_calibration_error
from pipelines.evaluation.findings import Report
from pipelines.evaluation.scores import Scores, by_length
from serving.bundle import Bundle


def scored(
    actual: Sequence[str], probabilities: NDArray[np.float64], bundle: Bundle, baselines: Mapping[str, Sequence[str]]
) -> Report:
    """Score a classifier and baselines against the true labels.

    Args:
        actual: the labels, [N].
        probabilities: of each label, [N, C].
        bundle: has the labels in the order of the columns, and the temperature.
        baselines: name -> predictions, [N].

    Returns:
        accuracy, macro_f1 (the mean F1 of the labels that occur), ece (expected calibration error), uncalibrated_ece (with
        temperature 1), and for each baseline NAME_accuracy and NAME_macro_f1; the confusion matrix's entries, the
        calibration curve and each label's F1 as tables.
    """
    predicted = [bundle.labels[i] for i in probabilities.argmax(axis=1)]
    correct = np.array(predicted) == np.array(actual)
    bins = calibration_bins(probabilities.max(axis=1), correct)
    occurring = sorted(set(actual))
    answers = {"": predicted, **{f"{name}_": others for name, others in baselines.items()}}
    f1 = {name: _f1(actual, given, occurring) for name, given in answers.items()}
    metrics = {f"{name}accuracy": float(accuracy_score(actual, given)) for name, given in answers.items()}
    metrics |= {f"{name}macro_f1": sum(scores) / len(occurring) for name, scores in f1.items()}
    metrics |= {
        "ece": expected_calibration_error(bins),
        "uncalibrated_ece": _uncalibrated(probabilities, bundle.temperature, correct),
    }
    return Report(
        metrics=metrics,
        tables={
            "confusion.csv": [{"actual": a, "predicted": p} for a, p in zip(actual, predicted, strict=True)],
            "calibration.csv": [asdict(b) for b in bins],
            "labels.csv": [
                {"label": label, **{f"{name}f1": scores[i] for name, scores in f1.items()}} for i, label in enumerate(occurring)
            ],
        },
    )


def right(texts: Mapping[str, Sequence[str]], probabilities: NDArray[np.float64], bundle: Bundle) -> Scores:
    """Whether each text gets its label; a label that the model does not know is never right.

    Args:
        texts: columns text and label, [N].
        probabilities: of each of the model's labels, [N, C].
        bundle: has the labels in the order of the columns.
    """
    predicted = np.array(bundle.labels)[probabilities.argmax(axis=1)]
    correct = predicted == np.array(texts["label"])
    return Scores(
        name="accuracy",
        values=correct.astype(np.float64),
        larger_is_better=True,
        slices={"label": texts["label"], "length": by_length(texts["text"])},
        confidence=probabilities.max(axis=1),
        correct=correct,
    )


def _uncalibrated(probabilities: NDArray[np.float64], temperature: float, correct: NDArray[np.bool_]) -> float:
    """The calibration error at temperature 1: softmax(z) is softmax(z / T) to the power of T, normalized."""
    raised = probabilities**temperature
    return expected_calibration_error(calibration_bins((raised / raised.sum(axis=1, keepdims=True)).max(axis=1), correct))


def _f1(actual: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> list[float]:
    """Each label's F1; 0 for a label that is never predicted."""
    scores: list[float] = f1_score(actual, predicted, labels=labels, average=None, zero_division=0).tolist()
    return scores
