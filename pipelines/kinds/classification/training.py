"""A classifier's class weights and temperature, which are computed from data."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.classification.attentive_classifier import AttentiveClassifier
from models.classification.classifier import Classifier
from pipelines.data.prepared import read_vectors
from pipelines.kinds.classification.settings import ClassificationTask
from pipelines.settings.section import NONE
from pipelines.store import Rows
from pipelines.training.batches import loader

WIDEST = 3.0  # bound of |log T|: temperatures from 0.05 to 20


def begin(model: Classifier | AttentiveClassifier, task: ClassificationTask, prepared: Path, train: Rows) -> None:
    """See `pipelines.kinds.parts.Training`: class weights, and pretrained vectors."""
    if isinstance(model, AttentiveClassifier) and task.data.vectors != NONE:
        model.begin_with(torch.from_numpy(np.array(read_vectors(prepared))))
    if task.train.class_weighting == "balanced":
        balance(model, train)


def finish(model: Classifier | AttentiveClassifier, task: ClassificationTask, valid: Rows) -> None:
    """See `pipelines.kinds.parts.Training`: the temperature."""
    calibrate(model, valid, task.train.batch_units)


def balance(model: Classifier | AttentiveClassifier, rows: Rows) -> None:
    """Set the class weights: N / (C n_c) for a label with n_c of N rows, C labels.

    All labels then have the same total weight, and the total over all rows is unchanged.
    """
    counts = np.bincount([int(rows.row(i)["label"]) for i in range(len(rows))], minlength=len(model.class_weights)).clip(min=1)
    model.class_weights.copy_(torch.from_numpy(len(rows) / (len(counts) * counts)))


def calibrate(model: Classifier | AttentiveClassifier, valid: Rows, units: int) -> None:
    """Set the temperature of a trained classifier.

    Args:
        model: on the CPU.
        valid: rows that it was not trained on.
        units: maximum padded units in a batch.
    """
    model.eval()
    logits, labels = [], []
    with torch.no_grad():
        for batch in loader(valid, units, 0, shuffle=False):
            logits.append(_scores(model, batch))
            labels.append(batch["label"])
    model.temperature.fill_(fit_temperature(torch.cat(logits).double().numpy(), torch.cat(labels).numpy()))


def _scores(model: Classifier | AttentiveClassifier, batch: dict[str, Tensor]) -> Tensor:
    if isinstance(model, Classifier):
        return model.logits(batch["characters"], batch["characters_lengths"])
    return model.logits(batch["tokens"], batch["tokens_lengths"])[0]


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """T with the lowest cross-entropy of softmax(logits / T) (Guo et al. 2017, arXiv 1706.04599, section 4.2).

    One pseudo-row with uniform labels is added as a prior: a few rows that are all correct do not prove certainty.

    Args:
        logits: [N, C].
        labels: [N].
    """
    from scipy.optimize import minimize_scalar  # the import takes two seconds, and other tasks do not need it

    one = 1 / (len(labels) + 1)
    right = (1 - one) * logits[np.arange(len(labels)), labels] + one * logits.mean(axis=1)

    def cross_entropy(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float((np.logaddexp.reduce(logits * scale, axis=1) - right * scale).mean())

    return float(np.exp(minimize_scalar(cross_entropy, bounds=(-WIDEST, WIDEST), method="bounded").x))
