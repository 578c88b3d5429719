"""What the gate compares: a registered model's scores, latency and size."""

import statistics
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.data.prepared import read_texts
from pipelines.kinds import parts
from pipelines.lineage.rows import Digests, contains
from pipelines.promotion.gate import Measured
from pipelines.settings.section import EvaluateTexts
from pipelines.settings.tasks import Task
from pipelines.stage import StageError
from serving.bundle import BundleError
from serving.contents import EXAMPLE_LIST, EXAMPLES
from serving.predictor import Predictor, load_predictor

ROUNDS = 20  # of all example requests
FEWEST = 2  # test rows


@dataclass(frozen=True)
class Unpacked:
    """An unpacked archive: its folder, which is a bundle, and the size of the archive in bytes."""

    folder: Path
    size: int


def unpack(archive: Path, folder: Path) -> Unpacked:
    """Unpack an archive.

    Args:
        archive: the file.
        folder: to unpack into.
    """
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder)
    return Unpacked(folder, archive.stat().st_size)


def unseen(task: Task, prepared: Path, trained_on: Sequence[Digests]) -> NDArray[np.bool_] | None:
    """Which test rows are in nobody's training data, [N]: more data may have split the old rows anew.

    Args:
        task: the task's block.
        prepared: its prepared data.
        trained_on: the training rows of each model.

    Returns:
        None if all rows count: those of series are divided by time, once and for all.

    Raises:
        StageError: hardly any row is left.
    """
    if not isinstance(task.evaluate, EvaluateTexts):
        return None
    texts, *_ = read_texts(prepared, "test", task.evaluate.limit).values()
    found = np.array([not any(contains(digests, text) for digests in trained_on) for text in texts])
    if found.sum() < FEWEST:
        raise StageError(f"only {found.sum()} of {len(texts)} test rows are left that neither model was trained on")
    return found


def measured(models: Sequence[Unpacked], task: Task, prepared: Path, some: NDArray[np.bool_] | None = None) -> list[Measured]:
    """Measure models on the same test rows, and with the example requests of the first.

    Args:
        models: of the same task.
        task: the task's block.
        prepared: its prepared data.
        some: which test rows count, [N]; None for all.

    Raises:
        StageError: a model is damaged.
    """
    try:
        scores = [parts.evaluation(task).score(model.folder, prepared, task) for model in models]
        scores = scores if some is None else [of_model.only(some) for of_model in scores]
        predictors = [load_predictor(model.folder) for model in models]
    except BundleError as error:
        raise StageError(f"{error}; register the model again") from error
    requests = [one.request for one in EXAMPLE_LIST.validate_json((models[0].folder / EXAMPLES).read_bytes())]
    refused = [
        sum(reply.status != HTTPStatus.OK for request in requests for reply in one.answer([request])) for one in predictors
    ]
    latencies, sizes = latency_ms(predictors, requests), [model.size for model in models]
    return [Measured(*of_model) for of_model in zip(scores, latencies, sizes, refused, strict=True)]


def latency_ms(predictors: Sequence[Predictor], requests: Sequence[dict[str, Any]]) -> list[float]:
    """The median time of one request to each model, in milliseconds; the models take turns, so that a busy machine is fair.

    Args:
        predictors: the models.
        requests: example requests.
    """
    seconds: list[list[float]] = [[] for _ in predictors]
    for _ in range(ROUNDS + 1):
        for times, predictor in zip(seconds, predictors, strict=True):
            started = time.perf_counter()
            for request in requests:
                predictor.answer([request])
            times.append((time.perf_counter() - started) / len(requests))
    return [1000 * statistics.median(times[1:]) for times in seconds]  # the first round warms up
