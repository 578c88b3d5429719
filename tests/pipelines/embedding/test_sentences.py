"""Sentences as rows: nothing is lost, and splits are disjoint."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.embeddings.hogwild import Corpus
from models.text.special import BOS, EOS, SPECIAL_TOKENS
from pipelines.embedding.elmo import split_corpus
from pipelines.embedding.sentences import SentenceRows, spread
from pipelines.settings.params import load_params
from pipelines.settings.vectors import ElmoVectors

Sentences = list[list[int]]


def corpus_of(sentences: Sentences) -> Corpus:
    tokens = np.array([i for sentence in sentences for i in sentence], dtype=np.int32)
    return Corpus(tokens, np.cumsum([0, *map(len, sentences)], dtype=np.int64))


@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=9), min_size=1, max_size=8), st.integers(1, 9))
def test_a_row_is_its_sentence_between_bos_and_eos(sentences: Sentences, longest: int) -> None:
    rows = SentenceRows(corpus_of(sentences), np.arange(len(sentences)), longest)
    assert len(rows) == len(sentences)
    for i, sentence in enumerate(sentences):
        row = rows.row(i)["words"]
        assert row.tolist() == [BOS, *(word + len(SPECIAL_TOKENS) for word in sentence[:longest]), EOS]
        assert rows.lengths("words")[i] == len(row)


@given(st.integers(0, 100), st.integers(1, 200), st.integers(0, 250))
def test_numbers_are_spread_evenly(start: int, size: int, number: int) -> None:
    chosen = spread(start, start + size, number)
    assert len(chosen) == (number if 0 < number < size else size)
    assert chosen[0] == start
    assert 0 < start + size - chosen[-1] <= -(-size // len(chosen))  # the distance to the end is at most one spacing
    gaps = np.diff(chosen)
    assert not len(gaps) or (gaps.min() >= 1 and gaps.max() - gaps.min() <= 1)


@pytest.fixture
def settings() -> Callable[..., ElmoVectors]:
    shipped = load_params().method("elmo")
    assert isinstance(shipped, ElmoVectors)
    return lambda **values: shipped.model_copy(update=values)


def test_splits_share_no_sentence_and_the_held_out_ones_come_last(settings: Callable[..., ElmoVectors]) -> None:
    sentences = [[i] for i in range(200)]
    splits = split_corpus(settings(sentences=50, held_out=7), corpus_of(sentences))
    numbers = {
        name: [int(rows.row(i)["words"][1]) - len(SPECIAL_TOKENS) for i in range(len(rows))] for name, rows in splits.items()
    }
    assert {name: len(found) for name, found in numbers.items()} == {"train": 50, "valid": 7, "test": 7}
    assert max(numbers["train"]) < 180 <= min(numbers["valid"] + numbers["test"])
    assert set(numbers["valid"]).isdisjoint(numbers["test"])


def test_a_corpus_of_few_sentences_is_refused(settings: Callable[..., ElmoVectors]) -> None:
    with pytest.raises(ValueError, match="19 sentences are too few"):
        split_corpus(settings(), corpus_of([[1]] * 19))
    assert len(split_corpus(settings(), corpus_of([[1]] * 20))["test"]) == 1
