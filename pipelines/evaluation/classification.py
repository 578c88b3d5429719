"""How well a classifier tells labels apart, and how well it knows when it does not."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from pipelines.evaluation.behaviour import invariance, letters_matter
from pipelines.evaluation.calibration import calibration_bins, expected_calibration_error
from pipelines.evaluation.linear import linear_baseline
from pipelines.evaluation.report import Report
from pipelines.preparation.prepared import read_texts
from pipelines.settings.section import Evaluate
from serving.predictors.classification import Classifier


def evaluate_classification(bundle: Path, prepared: Path, settings: Evaluate, seed: int) -> Report:
    """Classify the test split with the exported model and with a linear baseline.

    Args:
        bundle: the exported model.
        prepared: what the prepare stage made of the same task.
        settings: see params.yaml.
        seed: of the letters' order in shuffled names.

    Returns:
        accuracy, macro_f1 (the mean F1 of the labels that occur), ece (expected calibration error) and what it would be at a
        temperature of 1, the baseline's two, and its C; how the answers behave, see `pipelines.evaluation.behaviour`; the
        confusion matrix's entries, the calibration curve and each label's F1 as tables.

    Raises:
        BundleError: the folder is no intact classification bundle.
    """
    train, test = read_texts(prepared, "train"), read_texts(prepared, "test", settings.limit)
    classifier = Classifier.load(bundle, threads=os.cpu_count() or 1)
    actual = test["label"]

    def classify(names: Sequence[str]) -> list[str]:
        best = classifier.probabilities(names, batch_size=settings.batch_size).argmax(axis=1)
        return [classifier.bundle.labels[i] for i in best]

    probabilities = classifier.probabilities(test["name"], batch_size=settings.batch_size)  # [N, C]
    predicted = [classifier.bundle.labels[i] for i in probabilities.argmax(axis=1)]
    correct = np.array(predicted) == np.array(actual)
    bins = calibration_bins(probabilities.max(axis=1), correct)
    # Prepared texts are normalized as the model's tokenizer would do it, so that both see the same.
    baseline = linear_baseline(train, read_texts(prepared, "valid"), test["name"])
    labels = sorted(set(actual))
    f1, baseline_f1 = (_f1(actual, answers, labels) for answers in (predicted, baseline.predicted))
    return Report(
        metrics={
            "accuracy": accuracy_score(actual, predicted),
            "macro_f1": sum(f1) / len(labels),
            "ece": expected_calibration_error(bins),
            "uncalibrated_ece": _uncalibrated(probabilities, classifier.bundle.temperature, correct),
            **invariance(classify, test["name"], predicted),
            **letters_matter(classify, test["name"], actual, train, seed),
            "baseline_accuracy": accuracy_score(actual, baseline.predicted),
            "baseline_macro_f1": sum(baseline_f1) / len(labels),
            "baseline_inverse_penalty": baseline.inverse_penalty,
        },
        tables={
            "confusion.csv": [{"actual": a, "predicted": p} for a, p in zip(actual, predicted, strict=True)],
            "calibration.csv": [asdict(b) for b in bins],
            "labels.csv": [
                {"label": label, "f1": f, "baseline_f1": b} for label, f, b in zip(labels, f1, baseline_f1, strict=True)
            ],
        },
    )


def _uncalibrated(probabilities: NDArray[np.float64], temperature: float, correct: NDArray[np.bool_]) -> float:
    """The calibration error without the temperature: softmax(z) is softmax(z / T) to the power of T, up to its sum."""
    raised = probabilities**temperature
    return expected_calibration_error(calibration_bins((raised / raised.sum(axis=1, keepdims=True)).max(axis=1), correct))


def _f1(actual: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> list[float]:
    """Each label's F1; 0 for one that is never predicted."""
    scores: list[float] = f1_score(actual, predicted, labels=labels, average=None, zero_division=0).tolist()
    return scores
