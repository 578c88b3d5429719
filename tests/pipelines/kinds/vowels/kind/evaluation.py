"""The mean error of the exported model, and that of the training texts' mean."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.data.prepared import read_texts
from pipelines.evaluation.findings import Report
from pipelines.evaluation.scores import Scores
from pipelines.settings.tasks import Task
from pipelines.store import Split
from serving.predictor import load_predictor

STATED = ("train_rows",)


def evaluate(bundle: Path, prepared: Path, _: Task, __: int) -> Report:
    train, scores = Split(prepared / "train"), score(bundle, prepared, _)
    mean = np.mean([int(train.row(i)["label"]) for i in range(len(train))])
    baseline = float(np.abs(mean - _actual(prepared)).mean())
    return Report({"baseline_error": baseline}, {}, scores=scores)


def score(bundle: Path, prepared: Path, _: Task) -> Scores:
    (reply,) = load_predictor(bundle).answer([{"inputs": read_texts(prepared, "test")["text"]}])
    found = np.array([answer["vowels"] for answer in reply.body])
    return Scores("error", np.abs(found - _actual(prepared)), larger_is_better=False)


def _actual(prepared: Path) -> NDArray[np.int64]:
    rows = Split(prepared / "test")
    return np.array([int(rows.row(i)["label"]) for i in range(len(rows))])
