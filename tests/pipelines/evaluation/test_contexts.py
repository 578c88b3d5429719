"""Contexts of one word: its sentences, the similarity of its vectors, and nearest neighbours."""

from itertools import combinations

import numpy as np
import pytest

from models.embeddings.hogwild import Corpus
from models.text.words import WordVocabulary
from pipelines.evaluation.contexts import SIDE, TOP, Usage, compare_contexts, sentences_with

WORDS = WordVocabulary(["the", "bank", "of", "river"], [9, 5, 3, 2])


def corpus_of(*sentences: str) -> Corpus:
    rows = [[WORDS.words.index(word) for word in sentence.split()] for sentence in sentences]
    tokens = np.array([i for row in rows for i in row], dtype=np.int32)
    return Corpus(tokens, np.cumsum([0, *map(len, rows)], dtype=np.int64))


def usage(count: int = 5) -> Usage:
    layers = np.random.default_rng(0).normal(size=(3, count, 8))
    sentences = [["the", "bank", "of", str(i)] for i in range(count)]
    return Usage("bank", sentences, [1] * count, layers / np.linalg.norm(layers, axis=2, keepdims=True))


def test_each_sentence_with_the_word_is_found_once() -> None:
    corpus = corpus_of("the river", "bank bank", "the bank of the river", "of the bank", "river")
    found = sentences_with("bank", corpus, WORDS, 10, range(1, 9))
    assert [" ".join(sentence) for sentence in found] == ["bank bank", "the bank of the river", "of the bank"]
    assert sentences_with("bank", corpus, WORDS, 10, range(3, 4)) == [["of", "the", "bank"]]
    assert len(sentences_with("bank", corpus, WORDS, 2, range(1, 9))) == 2
    assert sentences_with("light", corpus, WORDS, 10, range(1, 9)) == []


def test_self_similarity_is_the_mean_over_pairs_of_sentences() -> None:
    of_bank = usage()
    for layer, similarity in zip(of_bank.layers, of_bank.self_similarity(), strict=True):
        assert similarity == pytest.approx(np.mean([a @ b for a, b in combinations(layer, 2)]))


def test_neighbours_are_other_sentences_best_first() -> None:
    of_bank = usage()
    found = of_bank.neighbours(2, 4)
    cosines = of_bank.layers[TOP] @ of_bank.layers[TOP, 2]
    assert [place for place, _ in found] == [i for i in np.argsort(-cosines) if i != 2]
    assert [cosine for _, cosine in found] == sorted((cosines[[0, 1, 3, 4]]).tolist(), reverse=True)


def test_a_long_sentence_is_shown_around_the_word() -> None:
    words = [str(i) for i in range(30)]
    shown = Usage("15", [words], [15], np.ones((3, 1, 2))).shown(0).split()
    assert shown == words[15 - SIDE : 16 + SIDE]
    assert usage().shown(0) == "the BANK of 0"


def test_the_table_has_the_asked_number_of_sentences_and_neighbours() -> None:
    metrics, table = compare_contexts([usage(9)], queries=3, k=2)
    assert metrics.keys() == {"bank.layer_0", "bank.layer_1", "bank.layer_2"}
    assert len(table) == 6
    assert len({row["sentence"] for row in table}) == 3
    assert all(row["sentence"] != row["nearest"] for row in table)
