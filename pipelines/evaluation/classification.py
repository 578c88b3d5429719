"""How well a classifier tells labels apart, and how well it knows when it does not."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from sklearn.metrics import accuracy_score, f1_score

from pipelines.evaluation.calibration import calibration_bins, expected_calibration_error
from pipelines.evaluation.linear import linear_baseline
from pipelines.evaluation.report import Report
from pipelines.preparation.prepared import read_texts
from pipelines.settings.section import Evaluate
from serving.predictors.classification import Classifier


def evaluate_classification(bundle: Path, prepared: Path, settings: Evaluate) -> Report:
    """Classify the test split with the exported model and with a linear baseline.

    Args:
        bundle: the exported model.
        prepared: what the prepare stage made of the same task.
        settings: see params.yaml.

    Returns:
        accuracy, macro_f1 (the mean F1 of the labels that occur), ece (expected calibration error), the baseline's two, and
        its C; the confusion matrix's entries, the calibration curve and each label's F1 as tables.

    Raises:
        BundleError: the folder is no intact classification bundle.
    """
    test = read_texts(prepared, "test", settings.limit)
    classifier = Classifier.load(bundle, threads=os.cpu_count() or 1)
    actual = test["label"]
    probabilities = classifier.probabilities(test["name"], batch_size=settings.batch_size)  # [N, C]
    predicted = [classifier.bundle.labels[i] for i in probabilities.argmax(axis=1)]
    bins = calibration_bins(probabilities.max(axis=1), np.array(predicted) == np.array(actual))
    # Prepared texts are normalized as the model's tokenizer would do it, so that both see the same.
    baseline = linear_baseline(read_texts(prepared, "train"), read_texts(prepared, "valid"), test["name"])
    labels = sorted(set(actual))
    f1, baseline_f1 = (_f1(actual, answers, labels) for answers in (predicted, baseline.predicted))
    return Report(
        metrics={
            "accuracy": accuracy_score(actual, predicted),
            "macro_f1": sum(f1) / len(labels),
            "ece": expected_calibration_error(bins),
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


def _f1(actual: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> list[float]:
    """Each label's F1; 0 for one that is never predicted."""
    scores: list[float] = f1_score(actual, predicted, labels=labels, average=None, zero_division=0).tolist()
    return scores
