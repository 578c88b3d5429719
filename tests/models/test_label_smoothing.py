"""Label smoothing is only part of the training loss: an evaluation measures the plain cross-entropy."""

from typing import Any

import pytest
import torch
from torch import nn

from models.classification.attentive_classifier import AttentiveClassifier
from models.classification.classifier import Classifier
from models.loss import Loss
from models.translation.teacher import Schedule
from models.translation.translator import Translator

TEXTS, LENGTHS = torch.tensor([[2, 7, 8, 9, 3], [2, 6, 3, 0, 0]]), torch.tensor([5, 3])
LABELS = torch.tensor([0, 2])
CLASSIFIER: dict[str, Any] = {"classes": 3, "ngram_buckets": 16, "longest_ngram": 2, "input_dropout": 0.0, "dropout": 0.0}
TRANSLATOR: dict[str, Any] = {
    "cell": "gru",
    "encoder_size": 3,
    "layers": 1,
    "attention": "bahdanau",
    "heads": 1,
    "input_feeding": False,
    "bridge": "linear",
    "dropout": 0.0,
    "weight_dropout": 0.0,
    "teacher": Schedule(),
}


def model_of(name: str, smoothing: float) -> nn.Module:
    """A model with the same random weights each time."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vocabulary_size": 12, "embedding_size": 4, "hidden_size": 6, "label_smoothing": smoothing}
    if name == "classifier":
        return Classifier(**sizes, **CLASSIFIER, cell="gru", layers=1, bidirectional=True)
    if name == "attentive classifier":
        return AttentiveClassifier(**sizes, **CLASSIFIER, cell="gru", embeddings="tuned", attention_size=4)
    return Translator(**sizes, **TRANSLATOR, attention_size=4)


def loss_of(name: str, smoothing: float, *, training: bool) -> float:
    model = model_of(name, smoothing).train(training)
    rest = (TEXTS.flip(0), LENGTHS.flip(0)) if name == "translator" else (LABELS,)
    loss: Loss = model(TEXTS, LENGTHS, *rest)
    return float(loss.total) / loss.units


@pytest.mark.parametrize("name", ["classifier", "attentive classifier", "translator"])
def test_an_evaluation_is_not_smoothed(name: str) -> None:
    plain = loss_of(name, 0.0, training=False)
    assert loss_of(name, 0.3, training=False) == pytest.approx(plain, rel=1e-6)
    assert loss_of(name, 0.0, training=True) == pytest.approx(plain, rel=1e-5)
    assert abs(loss_of(name, 0.3, training=True) - plain) > 1e-3, "training is smoothed"
