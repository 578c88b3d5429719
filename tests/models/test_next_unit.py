"""A model is scored on the unit after the one that it reads: from BOS to EOS, by the steps that a search takes."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.generation.language_model import LanguageModel
from models.names import ContextName
from models.text.special import BOS, EOS
from models.translation.teacher import Schedule
from models.translation.translator import Translator

UNITS, LENGTH, ALONE = torch.tensor([[BOS, 7, 9, 8, 9, EOS]]), torch.tensor([6]), torch.tensor([1])
SOURCE, SOURCE_LENGTH = torch.tensor([[8, 5, EOS]]), torch.tensor([3])


def cost(logits: Tensor, t: int) -> float:
    """-log p of the unit that follows place t, from logits [V]."""
    return -float(torch.log_softmax(logits, -1)[UNITS[0, t + 1]])


def test_a_language_model_predicts_the_next_character() -> None:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vocabulary_size": 12, "labels": 2, "embedding_size": 6, "label_size": 3, "hidden_size": 8}
    options: dict[str, Any] = {"dropout": 0.0, "locked": False, "weight_dropout": 0.0, "tied": False, "truncation": 0}
    model = LanguageModel(cell="lstm", **sizes, **options).eval()
    state, expected = None, 0.0
    with torch.no_grad():
        for t in range(UNITS.shape[1] - 1):
            logits, state = model.logits(UNITS[:, t : t + 1], ALONE, ALONE, state)
            expected += cost(logits[0, 0], t)
        loss = model(UNITS, LENGTH, ALONE)
    assert loss.units == UNITS.shape[1] - 1
    assert float(loss.total) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("attention", ["bahdanau", "general", "fixed"])
def test_a_translator_predicts_the_next_unit(attention: ContextName) -> None:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vocabulary_size": 12, "embedding_size": 4, "encoder_size": 3, "hidden_size": 6, "attention_size": 4}
    kinds: dict[str, Any] = {"cell": "gru", "layers": 1, "heads": 1, "bridge": "linear", "input_feeding": False}
    chances: dict[str, Any] = {"dropout": 0.0, "weight_dropout": 0.0, "label_smoothing": 0.0, "teacher": Schedule()}
    model = Translator(**sizes, **kinds, **chances, attention=attention).eval()
    expected = 0.0
    with torch.no_grad():
        memory, state = model.encode(SOURCE, SOURCE_LENGTH)
        step, now = model.decoder.stepper(memory), state[:, None]
        for t in range(UNITS.shape[1] - 1):
            output, now, _ = step(model.decoder.embedding(UNITS[:, t])[:, None], now)
            expected += cost(model.decoder.logits(output)[0, 0], t)
        loss = model(SOURCE, SOURCE_LENGTH, UNITS, LENGTH)
    assert loss.units == UNITS.shape[1] - 1
    assert float(loss.total) == pytest.approx(expected, rel=1e-5)
