"""Held-out rows are not in the training set, and the count-based baselines are probability distributions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lesson_files import write_names, write_pairs, write_reviews, write_sentiment

from lessons import (
    attention,
    bptt,
    char_rnn_classification,
    char_rnn_generation,
    glove_sentiment,
    lstm_gru,
    ngram_lm,
    seq2seq_translation,
    word2vec,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_sequences(rng: np.random.Generator) -> None:
    training, test = bptt.split(5, 2000, rng)  # short, so most are drawn several times
    assert {*map(tuple, training.tolist())}.isdisjoint(map(tuple, test.tolist()))
    assert len(test) > 100


def test_strings(rng: np.random.Generator) -> None:
    strings = lstm_gru.embedded_strings(300, 8, rng)
    assert len(set(strings)) == 300
    assert all(string[1] == string[-2] and string[0] == "B" and string[-1] == "E" for string in strings)


def test_dates(rng: np.random.Generator) -> None:
    training, test = attention.dates(2000, rng)
    assert {iso for _, iso in training}.isdisjoint(iso for _, iso in test)


@pytest.mark.parametrize("lesson", [char_rnn_classification, char_rnn_generation], ids=lambda module: module.__name__)
def test_names_of_several_languages_stay_on_one_side(lesson, tmp_path: Path, rng: np.random.Generator) -> None:  # type: ignore[no-untyped-def]
    rows = lesson.names(write_names(tmp_path), tmp_path, rng)
    for seed in range(20):
        training, test = lesson.split(rows, np.random.default_rng(seed))
        assert {name for name, _ in training}.isdisjoint(name for name, _ in test)
        assert sorted([*training, *test]) == sorted(rows)


def test_documents(tmp_path: Path) -> None:
    path = write_reviews(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") * 2, encoding="utf-8")  # each document twice
    docs = word2vec.documents(path, tmp_path)
    training, held_out = word2vec.split(docs, 1000, 1)
    assert len(docs) == 125, "numbers are not words, and some documents differ only in numbers"
    assert {*map(tuple, training)}.isdisjoint(map(tuple, held_out))
    assert len(ngram_lm.reviews(path, tmp_path)) == len({*ngram_lm.reviews(path, tmp_path)}) == 500


def test_pairs_share_no_side(tmp_path: Path, rng: np.random.Generator) -> None:
    rows = seq2seq_translation.pairs(write_pairs(tmp_path), tmp_path)
    training, test = seq2seq_translation.split([*rows, (["un", "autre"], rows[0][1])], rng)
    for side in (0, 1):
        assert {" ".join(row[side]) for row in training}.isdisjoint(" ".join(row[side]) for row in test)


def test_sentences_are_distinct(tmp_path: Path) -> None:
    path = write_sentiment(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") + "the FILM was good for 3 people,1\n", encoding="utf-8")
    texts = [tuple(words) for words, _ in glove_sentiment.sentences(path, tmp_path)]
    assert len(texts) == len(set(texts)) == 144


def test_windows_stay_in_their_document(rng: np.random.Generator) -> None:
    found = word2vec.pairs([["a", "b"], ["c", "d"]], {"a": 0, "b": 1, "c": 2, "d": 3}, np.ones(4), rng)
    assert {*map(tuple, found.tolist())} == {(0, 1), (1, 0), (2, 3), (3, 2)}


def test_kneser_ney_is_a_distribution(rng: np.random.Generator) -> None:
    rows = [tuple(row) for row in rng.integers(0, 6, (200, 3)).tolist()]
    counted = ngram_lm.KneserNey(rows, 6)
    for context in ((0, 1), (5, 5), (2, 0)):
        assert sum(counted.p((*context, word)) for word in range(6)) == pytest.approx(1)


def test_witten_bell_is_a_distribution(tmp_path: Path, rng: np.random.Generator) -> None:
    rows = char_rnn_generation.names(write_names(tmp_path), tmp_path, rng)
    characters = sorted({character for name, _ in rows for character in name} | {"$"})
    counted = char_rnn_generation.WittenBell(rows, len(characters))
    for context in ("^", "^Ro", "^xyz"):
        assert sum(counted.p("Italian", context, character) for character in characters) == pytest.approx(1)


def test_bleu_of_the_reference_is_100() -> None:
    texts = [["the", "file", "does", "not", "exist"], ["open", "it"]]
    assert seq2seq_translation.bleu(texts, texts) == pytest.approx(100)
    assert seq2seq_translation.bleu([["the"], ["it"]], texts) < 20


def test_f1_by_hand() -> None:
    table = char_rnn_classification.confusion(["a", "a", "b"], ["a", "b", "b"], ["a", "b"])
    assert torch.equal(table, torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
    assert char_rnn_classification.macro_f1(table) == pytest.approx((2 / 3 + 2 / 3) / 2)
