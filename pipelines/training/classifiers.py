"""What a classifier takes from data beside its weights: how much each label counts, and how sure it may be."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.attentive_classifier import AttentiveClassifier
from models.classifier import Classifier
from pipelines.store import Rows
from pipelines.training.batches import loader

WIDEST = 3.0  # of log T: temperatures from 0.05 to 20


def balance(model: Classifier, rows: Rows) -> None:
    """Set the class weights: N / (C n_c) for a label that n_c of N rows have, C labels.

    Each label then counts for as much as any other, and all rows together for as much as without weights.
    """
    counts = np.bincount([int(rows.row(i)["label"]) for i in range(len(rows))], minlength=len(model.class_weights)).clip(min=1)
    model.class_weights.copy_(torch.from_numpy(len(rows) / (len(counts) * counts)))


def calibrate(model: Classifier | AttentiveClassifier, valid: Rows, units: int) -> None:
    """Set the temperature of a trained classifier.

    Args:
        model: on the CPU.
        valid: rows that it was not trained on.
        units: most padded units in a batch.
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
    return model.logits(batch["words"], batch["words_lengths"])[0]


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """T with the lowest cross-entropy of softmax(logits / T) (Guo et al. 2017, arXiv 1706.04599, section 4.2).

    Args:
        logits: [N, C].
        labels: [N].
    """
    from scipy.optimize import minimize_scalar  # two seconds that other tasks' training does without

    right = logits[np.arange(len(labels)), labels]

    def cross_entropy(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float((np.logaddexp.reduce(logits * scale, axis=1) - right * scale).mean())

    return float(np.exp(minimize_scalar(cross_entropy, bounds=(-WIDEST, WIDEST), method="bounded").x))
