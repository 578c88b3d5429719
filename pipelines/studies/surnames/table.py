"""Study `surnames`, stage `table`: comparison of all networks, and of the best one with the baseline.

`python -m pipelines.studies.surnames.table surnames`.
"""

import json
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.text.json_files import write_json
from pipelines.data.prepared import read_labels, read_texts
from pipelines.evaluation.findings import Report
from pipelines.evaluation.interval import Interval, interval
from pipelines.evaluation.linear import linear_baseline
from pipelines.paths import PLOTS, PREPARED
from pipelines.report.record import record
from pipelines.settings.params import read_settings
from pipelines.stage import run_stage
from pipelines.store import Split
from pipelines.studies.surnames.classify import TASK
from pipelines.studies.surnames.scores import gain, macro_f1
from pipelines.studies.surnames.settings import FOUND, NAME, SETTINGS, Network, SurnamesStudy

PACKAGES = ("lightning-fabric", "scikit-learn", "torch")


@dataclass(frozen=True)
class Line:
    """A network's row of the table."""

    network: Network
    parameters: int
    valid: float
    predicted: NDArray[np.int64]  # [seeds, N]
    f1: Interval
    accuracy: float


def read_line(network: Network, actual: NDArray[np.int64], classes: int) -> Line:
    """Score the predictions of the stage `classify`."""
    found = json.loads((FOUND / f"{network}.json").read_text(encoding="utf-8"))
    predicted = np.array(found["predicted"])
    f1 = interval(np.array([macro_f1(actual, answers, classes) for answers in predicted]))
    valid = float(np.mean(found["valid_macro_f1"]))
    return Line(network, found["parameters"], valid, predicted, f1, float((predicted == actual).mean()))


def report_of(lines: list[Line], baseline: float) -> Report:
    """The table and its figure."""
    rows: list[dict[str, str | int | float]] = [
        {
            **line.network._asdict(),
            "parameters": line.parameters,
            "valid_macro_f1": line.valid,
            "macro_f1": line.f1.mean,
            "macro_f1_low": line.f1.low,
            "macro_f1_high": line.f1.high,
            "accuracy": line.accuracy,
        }
        for line in lines
    ]
    return Report(metrics={}, tables={"networks.csv": rows}, figures={"networks.png": draw(lines, baseline)})


def draw(lines: list[Line], baseline: float) -> Figure:
    """Each network's macro-F1 with its interval over the seeds, best on top."""
    figure = Figure(figsize=(7, 0.35 * len(lines) + 1.2))
    axes = figure.subplots()
    ordered = sorted(lines, key=lambda line: line.f1.mean)
    for i, line in enumerate(ordered):
        axes.plot([line.f1.low, line.f1.high], [i, i], color="tab:blue")
        axes.plot(line.f1.mean, i, "o", color="tab:blue")
    axes.axvline(baseline, color="tab:gray", linestyle="--", label="logistic regression on character n-grams")
    axes.set_yticks(range(len(ordered)), [str(line.network) for line in ordered])
    axes.set_xlabel("macro-F1 on the test split, mean and 95 % interval over the seeds")
    axes.legend(loc="lower right")
    return figure


def main(_: str) -> None:
    """Write plots/studies/surnames and the study's figures in benchmarks/results/recurrent.json."""
    settings, prepared = read_settings(SETTINGS, SurnamesStudy), PREPARED / TASK
    test, labels = Split(prepared / "test"), read_labels(prepared)
    actual = np.array([int(test.row(i)["label"]) for i in range(len(test))])
    lines = [read_line(Network.parse(path.stem), actual, len(labels)) for path in sorted(FOUND.glob("*.json"))]
    texts = {split: read_texts(prepared, split) for split in ("train", "valid", "test")}
    answers = linear_baseline(texts["train"], texts["valid"], texts["test"]["text"], words=False).predicted
    baseline = np.array([labels.index(label) for label in answers])
    best = max(lines, key=lambda line: line.valid)
    found = gain(actual, best.predicted, baseline, len(labels), settings.resamples)
    figures = {
        "surname_macro_f1": best.f1.mean,
        "surname_baseline_macro_f1": macro_f1(actual, baseline, len(labels)),
        "surname_f1_minus_baseline": found.mean,
        "surname_f1_minus_baseline_low": found.low,
        "surname_f1_minus_baseline_high": found.high,
    }
    report_of(lines, figures["surname_baseline_macro_f1"]).write_plots(PLOTS / "studies" / NAME)
    write_json(PLOTS / "studies" / NAME / "best.json", {"network": str(best.network), **figures})
    record("recurrent", f"make study NAME={NAME}", PACKAGES, figures)


if __name__ == "__main__":
    run_stage(main)
