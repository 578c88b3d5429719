"""Options of the language model regularize training and have no other effect."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.generation.language_model import LanguageModel

CHARACTERS = torch.tensor([[1, 5, 6, 7, 8, 2], [1, 9, 5, 2, 0, 0]])
LENGTHS, LABELS = torch.tensor([6, 4]), torch.tensor([0, 1])


def model_of(*, dropout: float = 0.0, locked: bool = False, weight_dropout: float = 0.0, tied: bool = False) -> LanguageModel:
    torch.manual_seed(0)
    sizes = {"vocabulary_size": 12, "labels": 2, "embedding_size": 6, "label_size": 3, "hidden_size": 8, "truncation": 0}
    options: dict[str, Any] = {**sizes, "dropout": dropout, "locked": locked, "weight_dropout": weight_dropout, "tied": tied}
    return LanguageModel(cell="lstm", **options)


def logits(model: LanguageModel) -> Tensor:
    return model.logits(CHARACTERS, LENGTHS, LABELS)[0]


@pytest.mark.parametrize("options", [{"dropout": 0.5}, {"dropout": 0.5, "locked": True}, {"weight_dropout": 0.5}])
def test_dropout_changes_training_but_not_serving(options: dict[str, Any]) -> None:
    plain, regularized = model_of(), model_of(**options)
    assert not torch.allclose(logits(regularized), logits(plain))
    torch.testing.assert_close(logits(regularized.eval()), logits(plain.eval()), atol=0, rtol=0)


def test_locked_dropout_drops_the_same_features_of_a_name_at_every_character() -> None:
    def kept(*, locked: bool) -> Tensor:
        dropped: Tensor = model_of(dropout=0.5, locked=locked).dropout(torch.ones(2, 6, 8))
        return dropped > 0

    assert (kept(locked=True) == kept(locked=True)[:, :1]).all()
    assert not (kept(locked=False) == kept(locked=False)[:, :1]).all()


def test_tied_vectors_are_one_table_trained_from_both_ends() -> None:
    model = model_of(tied=True)
    assert model.output.weight is model.embedding.weight
    total, _ = model(CHARACTERS, LENGTHS, LABELS)
    total.backward()
    unseen = 11  # never an input, so only the output layer can train it
    assert model.embedding.weight.grad is not None
    assert model.embedding.weight.grad[unseen].abs().sum() > 0


@pytest.mark.parametrize("tied", [False, True])
def test_one_character_at_a_time_equals_the_whole_name(tied: bool) -> None:
    model = model_of(tied=tied).eval()
    whole, _ = model.logits(CHARACTERS[:1], LENGTHS[:1], LABELS[:1])
    state, one = None, torch.tensor([1])
    for t in range(6):
        step, state = model.logits(CHARACTERS[:1, t : t + 1], one, LABELS[:1], state)
        torch.testing.assert_close(step[:, 0], whole[:, t])
