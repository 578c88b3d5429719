"""The queries of word vectors, compared with direct computations, and the artefact on disk."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.one_hot import OneHot
from models.text.subword_ngrams import Subwords
from models.text.vectors import UnknownWord, WordVectors
from models.text.words import WordVocabulary


def vocabulary(size: int) -> WordVocabulary:
    return WordVocabulary([f"w{i}" for i in range(size)], range(size, 0, -1))


def random_vectors(seed: int, size: int = 20, subwords: Subwords | None = None) -> WordVectors:
    matrix = np.random.default_rng(seed).normal(size=(size, 4)).astype(np.float32)
    return WordVectors(vocabulary(size), matrix, {"method": "random"}, subwords)


def subwords() -> Subwords:
    return Subwords(np.random.default_rng(9).normal(size=(100, 4)).astype(np.float32), 3, 6)


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(x.astype(np.float64) @ y / np.linalg.norm(x) / np.linalg.norm(y))


def best(scores: dict[str, float], k: int) -> list[tuple[str, Any]]:
    return [(word, pytest.approx(score, abs=1e-5)) for word, score in sorted(scores.items(), key=lambda s: -s[1])[:k]]


@given(st.integers(0, 1000), st.integers(1, 25))
def test_nearest_is_the_best_of_all_cosines(seed: int, k: int) -> None:
    vectors = random_vectors(seed)
    scores = {word: cosine(vectors.vector(word), vectors.vector("w3")) for word in vectors.vocabulary.words}
    assert vectors.nearest(vectors.vector("w3"), k) == best(scores, k)
    del scores["w3"]
    assert vectors.nearest("w3", k) == best(scores, k)


@given(st.integers(0, 1000), st.tuples(*[st.integers(0, 19)] * 3), st.integers(1, 25))
def test_analogy_is_the_best_of_all_cosines(seed: int, ids: tuple[int, int, int], k: int) -> None:
    vectors = random_vectors(seed)
    a, b, c = (f"w{i}" for i in ids)
    units = {word: vectors.vector(word) / np.linalg.norm(vectors.vector(word)) for word in vectors.vocabulary.words}
    target = units[b] - units[a] + units[c]
    scores = {word: cosine(u, target) for word, u in units.items() if word not in (a, b, c)}
    assert vectors.analogy(a, b, c, k) == best(scores, k)


@given(st.integers(0, 1000), st.integers(0, 19), st.integers(0, 19))
def test_similarity_is_the_cosine(seed: int, i: int, j: int) -> None:
    vectors = random_vectors(seed)
    expected = cosine(vectors.vector(f"w{i}"), vectors.vector(f"w{j}"))
    assert vectors.similarity(f"w{i}", f"w{j}") == pytest.approx(expected, abs=1e-5)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(1, 35))
def test_ties_go_to_the_more_frequent_word(levels: list[int], k: int) -> None:
    directions = np.array([[1, 0], [4, 3], [3, 4], [0, 1]], dtype=np.float32)
    vectors = WordVectors(vocabulary(len(levels)), directions[levels], {})
    expected = sorted(range(len(levels)), key=lambda i: (levels[i], i))[:k]
    assert [word for word, _ in vectors.nearest(directions[0], k)] == [f"w{i}" for i in expected]


def test_a_zero_vector_is_similar_to_nothing() -> None:
    vectors = WordVectors(vocabulary(3), np.array([[0, 0], [1, 1], [-1, 1]], dtype=np.float32), {})
    assert vectors.similarity("w0", "w1") == 0
    assert vectors.nearest("w0") == [("w1", 0), ("w2", 0)]
    assert vectors.nearest("w1") == [("w0", 0), ("w2", 0)]


def test_unknown_words_are_named() -> None:
    vectors = random_vectors(0)
    for question in (
        lambda: vectors.vector("zebra"),
        lambda: vectors.nearest("zebra"),
        lambda: vectors.analogy("w0", "w1", "zebra"),
        lambda: vectors.similarity("zebra", "w0"),
    ):
        with pytest.raises(UnknownWord, match=r"^there is no vector for 'zebra'$"):
            question()


def test_unknown_words_are_composed_from_subwords() -> None:
    vectors = random_vectors(0, subwords=subwords())
    np.testing.assert_array_equal(vectors.vector("w3"), vectors.matrix[3])
    zebra = vectors.subwords.compose("zebra") if vectors.subwords else None
    np.testing.assert_array_equal(vectors.vector("zebra"), zebra)
    assert vectors.nearest("zebra", 30) == vectors.nearest(vectors.vector("zebra"), 30)
    assert vectors.similarity("zebra", "zebra") == pytest.approx(1)
    with pytest.raises(UnknownWord):
        vectors.vector("")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_an_error(value: float) -> None:
    vectors = random_vectors(0)
    with pytest.raises(ValueError, match="not finite"):
        vectors.nearest(np.full(4, value, dtype=np.float32))
    vectors.matrix[7, 2] = value
    with pytest.raises(ValueError, match="'w7' is not finite"):
        vectors.nearest("w0")
    with pytest.raises(ValueError, match="not finite"):
        vectors.similarity("w7", "w0")


def test_wrong_shapes_and_counts_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"3 words .* \(2, 4\)"):
        WordVectors(vocabulary(3), np.ones((2, 4), dtype=np.float32), {})
    with pytest.raises(ValueError, match=r"\(100, 4\) .* \(3, 5\)"):
        WordVectors(vocabulary(3), np.ones((3, 5), dtype=np.float32), {}, subwords())
    for vectors in (random_vectors(0), OneHot(vocabulary(3), {})):
        with pytest.raises(ValueError, match="k is 0"):
            vectors.nearest("w0", 0)


@pytest.mark.parametrize("ngrams", [None, subwords()])
def test_artefact_is_saved_and_mapped_back(tmp_path: Path, ngrams: Subwords | None) -> None:
    vectors = random_vectors(0, subwords=ngrams)
    vectors.save(tmp_path / "vectors")
    again = WordVectors.load(tmp_path / "vectors")
    assert isinstance(again.matrix.base, np.memmap)
    np.testing.assert_array_equal(again.matrix, vectors.matrix)
    assert again.vocabulary.words == vectors.vocabulary.words
    assert again.provenance == {"method": "random"}
    assert again.nearest("w1") == vectors.nearest("w1")
    assert (again.subwords is None) == (ngrams is None)
    if ngrams:
        np.testing.assert_array_equal(again.vector("zebra"), vectors.vector("zebra"))
        assert again.subwords is not None
        assert (again.subwords.shortest, again.subwords.longest) == (3, 6)


def test_an_artefact_can_replace_the_one_it_was_mapped_from(tmp_path: Path) -> None:
    random_vectors(0, subwords=subwords()).save(tmp_path)
    mapped = WordVectors.load(tmp_path)
    WordVectors(mapped.vocabulary, mapped.matrix * 2, {}).save(tmp_path)
    again = WordVectors.load(tmp_path)
    np.testing.assert_array_equal(again.matrix, 2 * mapped.matrix)
    np.testing.assert_array_equal(mapped.matrix, random_vectors(0).matrix)
    assert again.subwords is None


def test_files_of_two_artefacts_are_rejected(tmp_path: Path) -> None:
    random_vectors(0).save(tmp_path)
    vocabulary(19).save(tmp_path / "vocabulary.json")
    with pytest.raises(ValueError, match="19 words"):
        WordVectors.load(tmp_path)


def test_one_hot_equals_the_identity_matrix() -> None:
    words = vocabulary(6)
    one_hot, matrix = OneHot(words, {}), WordVectors(words, np.eye(6, dtype=np.float32), {})
    query = np.arange(6, dtype=np.float32)
    for a, b in [("w0", "w0"), ("w4", "w2")]:
        np.testing.assert_array_equal(one_hot.vector(a), matrix.vector(a))
        assert one_hot.similarity(a, b) == matrix.similarity(a, b)
        assert one_hot.nearest(a) == matrix.nearest(a)
        assert one_hot.analogy(a, b, "w5", 2) == matrix.analogy(a, b, "w5", 2)
    for found, (word, score) in zip(one_hot.nearest(query, 3), matrix.nearest(query, 3), strict=True):
        assert [*found] == [word, pytest.approx(score)]
    with pytest.raises(UnknownWord, match="zebra"):
        one_hot.similarity("w0", "zebra")
