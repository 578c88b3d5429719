"""Evaluation of word vectors: equality with a plain loop, ties and case, and the scores of the published GloVe vectors."""

from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from gensim.test.utils import datapath
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.text.one_hot import OneHot
from models.text.subword_ngrams import Subwords
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from pipelines.data.corpora.pretrained import read_pretrained
from pipelines.evaluation import words as evaluation
from pipelines.evaluation.words import (
    Score,
    Section,
    Similarity,
    analogies,
    out_of_vocabulary,
    read_pairs,
    read_questions,
    similarity,
)
from pipelines.stage import StageError

ROOT = Path(__file__).parents[3]


def random_vectors(seed: int, words: str = "abcdefgh") -> WordVectors:
    matrix = np.random.default_rng(seed).normal(size=(len(words), 3)).astype(np.float32)
    return WordVectors(WordVocabulary(words, np.zeros(len(words))), matrix, {})


def loop(vectors: WordVectors, section: Section, limit: int) -> Score:
    """The same, one question at a time."""
    first = WordVectors(WordVocabulary(vectors.vocabulary.words[:limit], np.zeros(limit)), vectors.matrix[:limit], {})
    asked = [q for q in section.questions if all(word in first.vocabulary for word in q)]
    correct = sum(first.analogy(a, b, c)[0][0] == d for a, b, c, d in asked)
    return Score(correct, len(asked), len(section.questions) - len(asked))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limit", [5, 7, 8])
def test_analogies_equal_a_plain_loop(monkeypatch: pytest.MonkeyPatch, seed: int, limit: int) -> None:
    monkeypatch.setattr(evaluation, "VOCABULARY_BLOCK", 3)
    monkeypatch.setattr(evaluation, "QUESTION_BLOCK", 7)
    vectors = random_vectors(seed)
    sections = [Section("all", tuple(product("abcd", repeat=4))), Section("gram", (("a", "b", "c", "z"), ("h", "a", "b", "c")))]
    result = analogies(vectors, sections, limit)
    assert result.sections == {section.name: loop(vectors, section, limit) for section in sections}
    assert 0 < result.semantic.correct < result.semantic.asked
    assert (result.semantic, result.syntactic) == tuple(result.sections.values())
    assert result.total.asked + result.total.skipped == 4**4 + 2


def test_case_is_ignored_and_the_most_frequent_form_is_used() -> None:
    vectors = random_vectors(0, "abcdA")
    section = Section("s", tuple(product("abcd", repeat=4)))
    upper = Section("s", tuple(tuple(word.upper() for word in q) for q in section.questions))
    assert analogies(vectors, [upper], 5) == analogies(vectors, [section], 4)
    ratings = [("A", "b", 1.0), ("a", "C", 2.0), ("B", "D", 3.0)]
    assert similarity(vectors, ratings) == similarity(
        random_vectors(0, "abcd"), [(a.lower(), b.lower(), r) for a, b, r in ratings]
    )


def test_equal_vectors_answer_no_analogy() -> None:
    words = WordVocabulary("abcdef", np.zeros(6))
    section = Section("s", tuple(product("abcd", repeat=4)))
    equal = analogies(WordVectors(words, np.ones((6, 2), dtype=np.float32), {}), [section], 6)
    assert equal.total == analogies(OneHot(words, {}), [section], 6).total == Score(0, 4**4, 0)


def test_a_vocabulary_without_the_words_scores_nothing() -> None:
    result = analogies(random_vectors(0), [Section("s", (("x", "y", "z", "w"),))], 8)
    assert (result.total, result.total.accuracy) == (Score(0, 0, 1), 0)
    assert result.syntactic == Score(0, 0, 0)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=20))
def test_rho_is_the_correlation_of_average_ranks(ratings: list[int]) -> None:
    vectors = random_vectors(0, "abcdefghijklmnopqrstuvwxyz")
    pairs = [("a", word, float(rating)) for word, rating in zip("bcdefghijklmnopqrstuvwxyz", ratings, strict=False)]
    cosines = [vectors.similarity(a, b) for a, b, _ in pairs]
    result = similarity(vectors, pairs)
    assert result.covered == 1
    if len(set(ratings)) == 1:
        assert result.rho is None
    else:
        expected = np.corrcoef(average_ranks(cosines), average_ranks(ratings))[0, 1]
        assert result.rho == pytest.approx(expected)


def average_ranks(values: Sequence[float]) -> NDArray[np.float64]:
    return np.array([sum(v < value for v in values) + (sum(v == value for v in values) - 1) / 2 for value in values])


def test_pairs_without_vectors_are_left_out_and_counted() -> None:
    pairs = [("a", "b", 3.0), ("c", "d", 1.0), ("a", "zebra", 2.0), ("e", "f", 2.0)]
    vectors = random_vectors(0)
    result = similarity(vectors, pairs)
    assert result == Similarity(similarity(vectors, [p for p in pairs if "zebra" not in p]).rho, 0.75)
    assert similarity(OneHot(vectors.vocabulary, {}), pairs).rho is None
    ngrams = Subwords(np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32), 3, 6)
    assert similarity(WordVectors(vectors.vocabulary, vectors.matrix, {}, ngrams), pairs).covered == 1


def test_share_of_tokens_out_of_vocabulary() -> None:
    vocabulary = WordVocabulary("ab", [2, 1])
    assert out_of_vocabulary(vocabulary, Counter("abca")) == 0.25
    assert out_of_vocabulary(vocabulary, {}) == 0


def test_question_and_rating_files_have_their_known_sizes() -> None:
    sections = read_questions(Path(datapath("questions-words.txt")))
    assert len(sections) == 14
    assert sum(len(s.questions) for s in sections) == 19_544
    assert sum(len(s.questions) for s in sections if not s.is_syntactic) == 8_869
    assert len(read_pairs(Path(datapath("wordsim353.tsv")))) == 353
    assert len(read_pairs(Path(datapath("simlex999.txt")))) == 999


@pytest.mark.parametrize("text", ["a b c d\n", ": s\na b c\n", ": s\na b c d e\n"])
def test_a_malformed_question_is_reported_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "q.txt").write_text(text)
    with pytest.raises(StageError, match=rf"q\.txt, line {text.count(chr(10))}: "):
        read_questions(tmp_path / "q.txt")


@pytest.mark.parametrize("line", ["a\tb\n", "a\tb\tx\n", "a b 1\n"])
def test_a_malformed_rating_is_reported_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "p.tsv").write_text(f"# two words and a rating\n{line}")
    with pytest.raises(StageError, match=r"p\.tsv, line 2: "):
        read_pairs(tmp_path / "p.tsv")


def test_published_glove_vectors_have_their_known_scores() -> None:
    folder, raw = ROOT / "build/vectors/vectors/glove-6b", ROOT / "data/raw/glove-6b-50d"
    if not folder.exists() and not raw.exists():
        pytest.skip("needs the GloVe vectors, 80 MB: `python -m pipelines.stages.download glove-6b-50d`")
    vectors = WordVectors.load(folder) if folder.exists() else read_pretrained("glove-6b-50d", raw)
    result = analogies(vectors, read_questions(Path(datapath("questions-words.txt"))), len(vectors.vocabulary))
    percent = [round(100 * score.accuracy, 2) for score in (result.semantic, result.syntactic, result.total)]
    assert percent == [48.46, 44.36, 46.22]
    assert result.total.asked == 19_544
    ratings = [similarity(vectors, read_pairs(Path(datapath(name)))) for name in ("wordsim353.tsv", "simlex999.txt")]
    assert [round(r.rho or 0, 3) for r in ratings] == [0.503, 0.265]
    assert [r.covered for r in ratings] == [1, 1]
