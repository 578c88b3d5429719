"""Intrinsic evaluation of word vectors: analogies, human similarity ratings, and out-of-vocabulary rate."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.text.one_hot import OneHot
from models.text.vectors import UnknownWord, Vector, WordVectors
from models.text.words import WordVocabulary
from pipelines.stage import StageError, threads

VOCABULARY_BLOCK, QUESTION_BLOCK = 2048, 64  # the scores of one block, 512 KiB, fit in a core's cache

Quadruples = NDArray[np.int64]
"""Ids of a, b, c, d of each question, [Q, 4]."""


@dataclass(frozen=True)
class Section:
    """Questions of one kind: a is to b as c is to d."""

    name: str
    questions: tuple[tuple[str, ...], ...]

    @property
    def is_syntactic(self) -> bool:
        """True for the sections on grammar, False for those on meaning."""
        return self.name.startswith("gram")


@dataclass(frozen=True)
class Score:
    """Number of correct analogies.

    Attributes:
        correct: questions answered correctly.
        asked: questions with all four words in the vocabulary.
        skipped: the other questions.
    """

    correct: int
    asked: int
    skipped: int

    @property
    def accuracy(self) -> float:
        """Share of the asked questions answered correctly; 0 if none could be asked."""
        return self.correct / self.asked if self.asked else 0.0


@dataclass(frozen=True)
class Analogies:
    """Scores by section and by kind."""

    sections: dict[str, Score]
    semantic: Score
    syntactic: Score
    total: Score


@dataclass(frozen=True)
class Similarity:
    """Agreement with human ratings.

    Attributes:
        rho: Spearman's rank correlation of cosine and rating; None if either is constant, as with one-hot vectors.
        covered: share of the pairs with a vector for both words; the others are left out of rho.
    """

    rho: float | None
    covered: float


def read_questions(path: Path) -> list[Section]:
    """Read the analogies of Mikolov et al. 2013 (arXiv 1301.3781): ": section", then four words per line.

    Raises:
        StageError: a line is neither; the message gives its number.
    """
    sections: dict[str, list[tuple[str, ...]]] = {}
    questions: list[tuple[str, ...]] | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        words = tuple(line.split())
        if words and words[0] == ":":
            questions = sections.setdefault(" ".join(words[1:]), [])
        elif questions is not None and len(words) == 4:
            questions.append(words)
        elif words:
            raise StageError(f"{path}, line {number}: neither a section name nor four words in a section")
    return [Section(name, tuple(questions)) for name, questions in sections.items()]


def read_pairs(path: Path) -> list[tuple[str, str, float]]:
    """Read pairs of words with their human rating, tab-separated; lines that begin with "#" are comments.

    Raises:
        StageError: a line is not such a pair; the message gives its number.
    """
    pairs = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            a, b, rating = line.split("\t")
            pairs.append((a.strip(), b.strip(), float(rating)))
        except ValueError as error:
            raise StageError(f"{path}, line {number}: not two words and a number") from error
    return pairs


def analogies(vectors: WordVectors | OneHot, sections: Sequence[Section], limit: int) -> Analogies:
    """Answer each question by 3CosAdd, as `WordVectors.analogy` does, and count the right answers.

    An answer is right if d scores higher than every other word but a, b and c. As in word2vec's own tool, case is ignored, and
    a question with a word outside the first `limit` is skipped.

    Args:
        vectors: the vectors to evaluate.
        sections: the questions.
        limit: number of most frequent words to consider, both in questions and as answers.
    """
    ids = _folded_ids(vectors.vocabulary, limit)
    known = [[[ids[w.lower()] for w in q] for q in s.questions if all(w.lower() in ids for w in q)] for s in sections]
    quadruples = np.array([q for questions in known for q in questions], dtype=np.int64).reshape(-1, 4)
    if isinstance(vectors, OneHot):  # all candidates score 0: no word beats the others
        solved = np.zeros(len(quadruples), dtype=bool)
    else:
        solved = _solved(vectors, quadruples, np.fromiter(ids.values(), np.int64))
    scores, start = {}, 0
    for section, questions in zip(sections, known, strict=True):
        correct = int(solved[start : start + len(questions)].sum())
        scores[section.name] = Score(correct, len(questions), len(section.questions) - len(questions))
        start += len(questions)
    return Analogies(
        sections=scores,
        semantic=_sum(scores[s.name] for s in sections if not s.is_syntactic),
        syntactic=_sum(scores[s.name] for s in sections if s.is_syntactic),
        total=_sum(scores.values()),
    )


def similarity(vectors: WordVectors | OneHot, pairs: Sequence[tuple[str, str, float]]) -> Similarity:
    """Compare the cosines of pairs of words with human ratings; case is ignored."""
    from scipy.stats import spearmanr  # takes 1 to 2 s to import, and the analogies do not need it

    folded = _folded_ids(vectors.vocabulary, len(vectors.vocabulary))
    cosines, ratings = [], []
    for a, b, rating in pairs:
        known = [vectors.vocabulary.words[folded[w]] if w in folded else w for w in (a.lower(), b.lower())]
        try:
            cosines.append(vectors.similarity(*known))
        except UnknownWord:
            continue
        ratings.append(rating)
    varies = len(set(cosines)) > 1 and len(set(ratings)) > 1
    rho = float(spearmanr(cosines, ratings).statistic) if varies else None
    return Similarity(rho, len(cosines) / len(pairs))


def out_of_vocabulary(vocabulary: WordVocabulary, counts: Mapping[str, int]) -> float:
    """Share of a text's tokens that are not in the vocabulary; 0 for an empty text.

    Args:
        vocabulary: the known words.
        counts: word -> its count in the text.
    """
    unknown = sum(count for word, count in counts.items() if word not in vocabulary)
    return unknown / sum(counts.values()) if counts else 0.0


def _folded_ids(vocabulary: WordVocabulary, limit: int) -> dict[str, int]:
    """Lowercase word -> id of the most frequent word with this lowercase form."""
    words = vocabulary.words[:limit]
    return {word.lower(): i for i, word in zip(reversed(range(len(words))), reversed(words), strict=True)}


def _sum(scores: Iterable[Score]) -> Score:
    all_scores = list(scores)
    return Score(*(sum(getattr(s, name) for s in all_scores) for name in ("correct", "asked", "skipped")))


def _solved(vectors: WordVectors, quadruples: Quadruples, candidates: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether d scores higher than all candidates but a, b and c, [Q].

    The score of x is x.(b - a) + x.c. The questions share few pairs (a, b) and few words, so the products of these with every
    candidate are computed once, and each question adds two rows of them. The excluded words a, b and c are all words of
    questions: for all other candidates the best score is enough.
    """
    asked, places = np.unique(quadruples, return_inverse=True)
    questions = places.reshape(-1, 4)
    words = _units(vectors, asked)  # [W, dim]
    pairs, pair = np.unique(questions[:, :2], axis=0, return_inverse=True)
    terms = np.concatenate([words[pairs[:, 1]] - words[pairs[:, 0]], words])  # [P + W, dim]
    rows = np.stack([pair.reshape(-1), len(pairs) + questions[:, 2]])  # of the two terms, [2, Q]
    expected, best = _among_asked(terms @ words.T, rows, questions)
    others = np.setdiff1d(candidates, asked)
    blocks = (others[start : start + VOCABULARY_BLOCK] for start in range(0, len(others), VOCABULARY_BLOCK))
    # NumPy releases the GIL, so threads process independent blocks in parallel.
    with ThreadPoolExecutor(threads()) as pool:
        for scores in pool.map(lambda ids: _best_scores(terms @ _units(vectors, ids).T, rows), blocks):
            np.maximum(best, scores, out=best)
    solved: NDArray[np.bool_] = expected > best
    return solved


def _among_asked(products: Vector, rows: NDArray[np.int64], questions: NDArray[np.int64]) -> tuple[Vector, Vector]:
    """The score of d, and the best score of the other words that occur in questions, without a, b and c, [Q] each."""
    expected, best = np.empty((2, len(questions)), dtype=np.float32)
    for start in range(0, len(questions), QUESTION_BLOCK):
        some = slice(start, start + QUESTION_BLOCK)
        scores = products[rows[0, some]] + products[rows[1, some]]  # [questions, W]
        np.put_along_axis(scores, questions[some, :3], -np.inf, axis=1)
        expected[some] = np.take_along_axis(scores, questions[some, 3:], axis=1)[:, 0]
        np.put_along_axis(scores, questions[some, 3:], -np.inf, axis=1)
        best[some] = scores.max(axis=1)
    return expected, best


def _best_scores(products: Vector, rows: NDArray[np.int64]) -> Vector:
    """The highest sum of two rows of `products` [P + W, candidates], for each pair of rows [2, Q]: [Q]."""
    best = np.empty(rows.shape[1], dtype=np.float32)
    scratch = np.empty((2, QUESTION_BLOCK, products.shape[1]), dtype=np.float32)
    for start in range(0, len(best), QUESTION_BLOCK):
        some = rows[:, start : start + QUESTION_BLOCK]
        scores, more = scratch[:, : some.shape[1]]
        np.take(products, some[0], axis=0, out=scores, mode="clip")  # other modes fill `out` through a buffer
        np.take(products, some[1], axis=0, out=more, mode="clip")
        np.add(scores, more, out=scores).max(axis=1, out=best[start : start + QUESTION_BLOCK])
    return best


def _units(vectors: WordVectors, ids: NDArray[np.int64]) -> Vector:
    """The words' vectors normalized to length 1, [ids, dim]; zero vectors stay zero."""
    units, lengths = vectors.matrix[ids], vectors.lengths[ids, None]
    return np.divide(units, lengths, out=units, where=lengths > 0)
