"""Splitting texts into words, ids of words, and n-grams of words."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from gensim.models.fasttext import compute_ngrams_bytes, ft_hash_bytes
from hypothesis import given
from hypothesis import strategies as st

from models.text.special import SPECIAL_TOKENS, UNK
from models.text.subword_ngrams import Subwords, ngram_ids
from models.text.word_tokenizer import WordTokenizer, is_token
from models.text.words import WordVocabulary, words_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(st.text())
def test_splitting_is_idempotent_and_leaves_no_white_space(text: str) -> None:
    words = words_of(text)
    assert words_of(" ".join(words)) == words
    assert all(word.split() == [word] for word in words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop!", ["don't", "stop"]),
        ("'tis the dogs' 'quoted' rock\u2019n\u2019roll", ["tis", "the", "dogs", "quoted", "rock'n'roll"]),
        ("E\u0301TE\u0301 2010-11, snake_case", ["été", "2010", "11", "snake", "case"]),
        ("... --", []),
        ("", []),
        ("a" * 10_000, ["a" * 10_000]),
    ],
)
def test_splitting_into_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.dictionaries(TEXT, st.integers(1, 5)), st.integers(1, 5))
def test_vocabulary_keeps_the_frequent_words_in_order(counter: dict[str, int], min_count: int) -> None:
    vocabulary = WordVocabulary.count(counter, min_count)
    assert dict(zip(vocabulary.words, vocabulary.counts.tolist(), strict=True)) == {
        word: n for word, n in counter.items() if n >= min_count
    }
    order = [(-n, word) for word, n in zip(vocabulary.words, vocabulary.counts, strict=True)]
    assert order == sorted(order)
    assert [vocabulary.id(word) for word in vocabulary.words] == list(range(len(vocabulary)))
    assert all((word in vocabulary) == (vocabulary.id(word) is not None) for word in counter)


@given(st.dictionaries(TEXT, st.integers(1, 2**40)))
def test_vocabulary_is_saved_and_loaded(tmp_path_factory: pytest.TempPathFactory, counter: dict[str, int]) -> None:
    path = tmp_path_factory.getbasetemp() / "vocabulary.json"
    vocabulary = WordVocabulary.count(Counter(counter), 1)
    vocabulary.save(path)
    again = WordVocabulary.load(path)
    assert again.words == vocabulary.words
    np.testing.assert_array_equal(again.counts, vocabulary.counts)


def test_an_invalid_vocabulary_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'b' twice"):
        WordVocabulary(["a", "b", "c", "b"], [4, 3, 2, 1])
    with pytest.raises(ValueError, match=r"2 words .* \(1,\)"):
        WordVocabulary(["a", "b"], [1])
    (tmp_path / "v.json").write_text('{"words": ["a", "a"], "counts": [1, 1]}')
    with pytest.raises(ValueError, match="'a' twice"):
        WordVocabulary.load(tmp_path / "v.json")


@given(TEXT, st.integers(1, 4), st.integers(0, 4), st.integers(1, 2_000_000))
def test_ngrams_equal_those_of_fasttext(word: str, shortest: int, more: int, buckets: int) -> None:
    expected = [ft_hash_bytes(ngram) % buckets for ngram in compute_ngrams_bytes(word, shortest, shortest + more)]
    ids = ngram_ids(word, shortest, shortest + more, buckets)
    assert ids.dtype == np.int32
    assert ids.tolist() == expected


def test_a_word_is_composed_as_the_mean_of_its_ngrams() -> None:
    matrix = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    subwords = Subwords(matrix, 3, 6)
    expected = np.mean([matrix[i] for i in ngram_ids("night", 3, 6, 50).tolist()], axis=0)
    composed = subwords.compose("night")
    assert composed is not None
    np.testing.assert_allclose(composed, expected, rtol=1e-6)
    assert subwords.compose("") is None


def test_words_get_ids_and_unknown_contractions_are_split() -> None:
    tokenizer = WordTokenizer(["do", "n't", "film", "'s", "it's", "ca"])
    assert tokenizer.tokens("Don't! It's the film's; can't, o'neill's") == [
        *("do", "n't", "it's", "the", "film", "'s", "ca", "n't", "o'neill", "'s")
    ]
    ids = tokenizer.encode("film's plot")
    assert ids == [len(SPECIAL_TOKENS) + 2, len(SPECIAL_TOKENS) + 3, UNK]
    assert tokenizer.size == len(SPECIAL_TOKENS) + 6
    assert tokenizer.encode("... --") == []


@given(st.text(), st.sets(st.sampled_from(["do", "n't", "'s", "a", "it's"])))
def test_tokens_are_valid_vocabulary_entries(text: str, words: set[str]) -> None:
    tokenizer = WordTokenizer(sorted(words))
    tokens = tokenizer.tokens(text)
    assert all(is_token(token) for token in tokens)
    assert tokenizer.tokens(" ".join(words_of(text))) == tokens
    assert len(tokenizer.encode(text)) == len(tokens)


@pytest.mark.parametrize(
    ("word", "expected"), [("film", True), ("n't", True), ("'s", True), ("!", False), ("u.s.", False), ("'", False)]
)
def test_only_words_and_ends_of_contractions_are_tokens(word: str, expected: bool) -> None:
    assert is_token(word) is expected


def test_words_are_saved_and_loaded(tmp_path: Path) -> None:
    tokenizer = WordTokenizer(["naïve", "n't"])
    tokenizer.save(tmp_path / "t.json")
    assert WordTokenizer.load(tmp_path / "t.json").words == tokenizer.words
