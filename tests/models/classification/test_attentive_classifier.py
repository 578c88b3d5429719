"""The attentive classifier: only a sentence's own words matter, and their weights sum to one."""

from typing import Any, Literal, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.attention.pooling import AttentionPooling
from models.classification.attentive_classifier import AttentiveClassifier
from models.names import CellName
from models.recurrent.cells import CELLS
from models.recurrent.ragged import length_mask
from pipelines.kinds.classification.settings import AttentiveModel

V, D, CLASSES = 12, 5, 3
SIZES: dict[str, Any] = {
    "vocabulary_size": V,
    "classes": CLASSES,
    "embedding_size": D,
    "hidden_size": 6,
    "attention_size": 4,
    "ngram_buckets": 16,
    "longest_ngram": 2,
}
DROPOUT: dict[str, Any] = {"input_dropout": 0.3, "dropout": 0.3, "label_smoothing": 0.1}
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def make(cell: CellName = "lstm", embeddings: Literal["frozen", "tuned"] = "frozen") -> AttentiveClassifier:
    torch.manual_seed(0)
    model = AttentiveClassifier(**SIZES, **DROPOUT, cell=cell, embeddings=embeddings).eval()
    torch.nn.init.normal_(model.ngrams.table.weight[1:])
    return model


@given(LENGTHS)
def test_weights_add_up_to_one_and_are_zero_at_the_padding(lengths: list[int]) -> None:
    torch.manual_seed(0)
    states, mask = torch.randn(len(lengths), max(lengths), 6), length_mask(torch.tensor(lengths), max(lengths))
    pooled, weights = AttentionPooling(6, 4)(states, mask)
    torch.testing.assert_close(weights.sum(1), torch.ones(len(lengths)))
    assert (weights >= 0).all()
    assert not weights[~mask].any()
    torch.testing.assert_close(pooled, (weights[:, :, None] * states).sum(1))


def test_pooling_follows_its_equations() -> None:
    torch.manual_seed(0)
    pooling, states = AttentionPooling(6, 4).double(), torch.randn(1, 5, 6, dtype=torch.float64)
    energies = [pooling.energy.weight[0] @ torch.tanh(pooling.hidden.weight @ h + pooling.hidden.bias) for h in states[0]]
    expected = torch.softmax(torch.stack(energies), 0)
    pooled, weights = pooling(states, torch.ones(1, 5, dtype=torch.bool))
    torch.testing.assert_close(weights[0], expected)
    torch.testing.assert_close(pooled[0], sum(a * h for a, h in zip(expected, states[0], strict=True)))


@pytest.mark.parametrize("cell", CELLS)
def test_a_batch_equals_its_rows(cell: CellName) -> None:
    model, lengths, words = make(cell), torch.tensor([4, 1, 7]), torch.randint(V, (3, 7))
    together, weights = model.logits(words, lengths)
    for i, length in enumerate(lengths.tolist()):
        alone, own = model.logits(words[i : i + 1, :length], lengths[i : i + 1])
        torch.testing.assert_close(together[i], alone[0])
        torch.testing.assert_close(weights[i, :length], own[0])


def test_ngram_scores_are_added_to_the_networks() -> None:
    model, lengths, words = make(), torch.tensor([4, 6]), torch.randint(4, V, (2, 6))
    together, ngrams = model.logits(words, lengths)[0], model.ngrams(words, lengths)
    torch.nn.init.zeros_(model.ngrams.table.weight)
    torch.testing.assert_close(together - model.logits(words, lengths)[0], ngrams)
    assert ngrams.any()


def test_padding_has_no_effect() -> None:
    model, lengths, words = make(), torch.tensor([2, 4]), torch.randint(1, V, (2, 4))
    others = words.clone()
    others[0, 2:] = 7
    for a, b in zip(model.logits(words, lengths), model.logits(others, lengths), strict=True):
        torch.testing.assert_close(a, b)


def test_pretrained_vectors_change_only_if_tuned() -> None:
    vectors, batch = torch.randn(V, D), (torch.randint(4, V, (4, 5)), torch.tensor([5, 3, 1, 4]), torch.tensor([0, 2, 1, 1]))
    ways: tuple[Literal["frozen", "tuned"], ...] = ("frozen", "tuned")
    for embeddings in ways:
        model = make(embeddings=embeddings)
        model.begin_with(vectors)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
        model(*batch).total.backward()
        optimizer.step()
        assert torch.equal(model.embedding.weight, vectors) == (embeddings == "frozen")
        assert "embedding.weight" in model.state_dict()  # so that the exported file is self-contained


def test_vectors_of_another_size_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"\(12, 4\) do not fit 12 words and embedding_size 5"):
        make().begin_with(torch.randn(V, D - 1))


def test_every_cell_can_be_selected_in_settings() -> None:
    assert set(CELLS) == set(get_args(AttentiveModel.model_fields["cell"].annotation))


def test_learns_which_word_determines_the_label() -> None:
    model = make(embeddings="tuned")  # as evaluated: without dropout
    words = torch.randint(8, V, (30, 6))
    labels, places = torch.arange(30) % CLASSES, torch.randint(6, (30,))
    words[torch.arange(30), places] = 4 + labels  # one word determines the label
    lengths = torch.full((30,), 6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        model(words, lengths, labels).total.backward()
        optimizer.step()
    scores, _ = model.logits(words, lengths)
    assert scores.argmax(1).tolist() == labels.tolist()
