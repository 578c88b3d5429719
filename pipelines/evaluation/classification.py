"""How well a classifier tells labels apart, and how well it knows when it does not."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
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
        what `scored` gives, with the baseline's figures as baseline_..., and the baseline's C.

    Raises:
        BundleError: the folder is no intact classification bundle.
    """
    test = read_texts(prepared, "test", settings.limit)
    classifier = Classifier.load(bundle, threads=os.cpu_count() or 1)
    probabilities = classifier.probabilities(test["name"], batch_size=settings.batch_size)  # [N, C]
    # Prepared texts are normalized as the model's tokenizer would do it, so that both see the same.
    baseline = linear_baseline(read_texts(prepared, "train"), read_texts(prepared, "valid"), test["name"])
    report = scored(test["label"], probabilities, classifier.bundle.labels, {"baseline": baseline.predicted})
    return replace(report, metrics={**report.metrics, "baseline_inverse_penalty": baseline.inverse_penalty})


def scored(
    actual: Sequence[str], probabilities: NDArray[np.float64], labels: Sequence[str], baselines: Mapping[str, Sequence[str]]
) -> Report:
    """Compare a classifier's answers, and other classifiers', with the truth.

    Args:
        actual: the labels, [N].
        probabilities: of each label, [N, C].
        labels: in the order of the columns, C.
        baselines: name -> what each of the others answered, [N].

    Returns:
        accuracy, macro_f1 (the mean F1 of the labels that occur), ece (expected calibration error), and the others' two as
        NAME_accuracy and NAME_macro_f1; the confusion matrix's entries, the calibration curve and each label's F1 as tables.
    """
    predicted = [labels[i] for i in probabilities.argmax(axis=1)]
    bins = calibration_bins(probabilities.max(axis=1), np.array(predicted) == np.array(actual))
    occurring = sorted(set(actual))
    answers = {"": predicted, **{f"{name}_": others for name, others in baselines.items()}}
    f1 = {name: _f1(actual, given, occurring) for name, given in answers.items()}
    metrics = {f"{name}accuracy": float(accuracy_score(actual, given)) for name, given in answers.items()}
    metrics |= {f"{name}macro_f1": sum(scores) / len(occurring) for name, scores in f1.items()}
    return Report(
        metrics={**metrics, "ece": expected_calibration_error(bins)},
        tables={
            "confusion.csv": [{"actual": a, "predicted": p} for a, p in zip(actual, predicted, strict=True)],
            "calibration.csv": [asdict(b) for b in bins],
            "labels.csv": [
                {"label": label, **{f"{name}f1": scores[i] for name, scores in f1.items()}} for i, label in enumerate(occurring)
            ],
        },
    )


def _f1(actual: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> list[float]:
    """Each label's F1; 0 for one that is never predicted."""
    scores: list[float] = f1_score(actual, predicted, labels=labels, average=None, zero_division=0).tolist()
    return scores
