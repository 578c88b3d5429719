"""The mean error of the exported model, and that of the training texts' mean."""

from pathlib import Path

import numpy as np

from pipelines.data.prepared import read_texts
from pipelines.evaluation.findings import Report
from pipelines.settings.tasks import Task
from pipelines.store import Split
from serving.predictor import load_predictor

STATED = ("train_rows",)


def evaluate(bundle: Path, prepared: Path, _: Task, __: int) -> Report:
    texts, test, train = read_texts(prepared, "test")["text"], Split(prepared / "test"), Split(prepared / "train")
    (reply,) = load_predictor(bundle).answer([{"inputs": texts}])
    found = np.array([answer["vowels"] for answer in reply.body])
    actual = np.array([int(test.row(i)["label"]) for i in range(len(test))])
    mean = np.mean([int(train.row(i)["label"]) for i in range(len(train))])
    return Report({"error": float(np.abs(found - actual).mean()), "baseline_error": float(np.abs(mean - actual).mean())}, {})
