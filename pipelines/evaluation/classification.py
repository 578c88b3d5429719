"""How well a classifier tells labels apart, and how well it knows when it does not."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
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
from pipelines.stage import threads
from serving.bundle import Bundle
from serving.predictors.classification import Classifier


def evaluate_classification(bundle: Path, prepared: Path, settings: Evaluate, seed: int) -> Report:
    """Classify the test split with the exported model and with a linear baseline.

    Args:
        bundle: the exported model.
        prepared: what the prepare stage made of the same task.
        settings: see params.yaml.
        seed: of the letters' order in shuffled names.

    Returns:
        what `scored` gives, with the baseline's figures as baseline_..., and the baseline's C; how the answers behave, see
        `pipelines.evaluation.behaviour`.

    Raises:
        BundleError: the folder is no intact classification bundle.
    """
    train, test = read_texts(prepared, "train"), read_texts(prepared, "test", settings.limit)
    classifier = Classifier.load(bundle, threads=threads())

    def classify(names: Sequence[str]) -> list[str]:
        best = classifier.probabilities(names, batch_size=settings.batch_size).argmax(axis=1)
        return [classifier.bundle.labels[i] for i in best]

    probabilities = classifier.probabilities(test["name"], batch_size=settings.batch_size)  # [N, C]
    predicted = [classifier.bundle.labels[i] for i in probabilities.argmax(axis=1)]
    # Prepared texts are normalized as the model's tokenizer would do it, so that both see the same.
    baseline = linear_baseline(train, read_texts(prepared, "valid"), test["name"])
    report = scored(test["label"], probabilities, classifier.bundle, {"baseline": baseline.predicted})
    behaviour = {
        **invariance(classify, test["name"], predicted),
        **letters_matter(classify, test["name"], test["label"], train, seed),
    }
    return replace(report, metrics={**report.metrics, "baseline_inverse_penalty": baseline.inverse_penalty, **behaviour})


def scored(
    actual: Sequence[str], probabilities: NDArray[np.float64], bundle: Bundle, baselines: Mapping[str, Sequence[str]]
) -> Report:
    """Compare a classifier's answers, and other classifiers', with the truth.

    Args:
        actual: the labels, [N].
        probabilities: of each label, [N, C].
        bundle: names the labels in the order of the columns, and the temperature.
        baselines: name -> what each of the others answered, [N].

    Returns:
        accuracy, macro_f1 (the mean F1 of the labels that occur), ece (expected calibration error) and what it would be at a
        temperature of 1, and the others' first two as NAME_accuracy and NAME_macro_f1; the confusion matrix's entries, the
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


def _uncalibrated(probabilities: NDArray[np.float64], temperature: float, correct: NDArray[np.bool_]) -> float:
    """The calibration error without the temperature: softmax(z) is softmax(z / T) to the power of T, up to its sum."""
    raised = probabilities**temperature
    return expected_calibration_error(calibration_bins((raised / raised.sum(axis=1, keepdims=True)).max(axis=1), correct))


def _f1(actual: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> list[float]:
    """Each label's F1; 0 for one that is never predicted."""
    scores: list[float] = f1_score(actual, predicted, labels=labels, average=None, zero_division=0).tolist()
    return scores
