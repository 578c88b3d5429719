"""Options of the language model: they regularize training, and change nothing else."""

import pytest
import torch
from torch import Tensor

from models.language_model import LanguageModel

CHARACTERS = torch.tensor([[1, 5, 6, 7, 8, 2], [1, 9, 5, 2, 0, 0]])
LENGTHS, LABELS = torch.tensor([6, 4]), torch.tensor([0, 1])


def model_of(*, dropout: float = 0.0, locked: bool = False, weight_dropout: float = 0.0, tied: bool = False) -> LanguageModel:
    torch.manual_seed(0)
    sizes = {"vocabulary_size": 12, "labels": 2, "embedding_size": 6, "label_size": 3, "hidden_size": 8, "truncation": 0}
    options = {"dropout": dropout, "locked": locked, "weight_dropout": weight_dropout, "tied": tied}
    return LanguageModel(cell="lstm", **sizes, **options)


def logits(model: LanguageModel) -> Tensor:
    return model.logits(CHARACTERS, LENGTHS, LABELS)[0]


@pytest.mark.parametrize("options", [{"dropout": 0.5}, {"dropout": 0.5, "locked": True}, {"weight_dropout": 0.5}])
def test_dropout_changes_what_is_trained_and_not_what_is_served(options: dict[str, float]) -> None:
    plain, regularized = model_of(), model_of(**options)
    assert not torch.allclose(logits(regularized), logits(plain))
    torch.testing.assert_close(logits(regularized.eval()), logits(plain.eval()), atol=0, rtol=0)


def test_locked_dropout_drops_the_same_features_of_a_name_at_every_character() -> None:
    def kept(*, locked: bool) -> Tensor:
        return model_of(dropout=0.5, locked=locked).dropout(torch.ones(2, 6, 8)) > 0

    assert (kept(locked=True) == kept(locked=True)[:, :1]).all()
    assert not (kept(locked=False) == kept(locked=False)[:, :1]).all()


def test_tied_vectors_are_one_table_that_both_ends_train() -> None:
    model = model_of(tied=True)
    assert model.output.weight is model.embedding.weight
    total, _ = model(CHARACTERS, LENGTHS, LABELS)
    total.backward()
    unseen = 11  # never an input: only the output layer can have trained it
    assert model.embedding.weight.grad is not None
    assert model.embedding.weight.grad[unseen].abs().sum() > 0


@pytest.mark.parametrize("tied", [False, True])
def test_one_character_at_a_time_gives_what_the_whole_name_does(tied: bool) -> None:
    model = model_of(tied=tied).eval()
    whole, _ = model.logits(CHARACTERS[:1], LENGTHS[:1], LABELS[:1])
    state, one = None, torch.tensor([1])
    for t in range(6):
        step, state = model.logits(CHARACTERS[:1, t : t + 1], one, LABELS[:1], state)
        torch.testing.assert_close(step[:, 0], whole[:, t])
