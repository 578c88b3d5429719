"""Co-occurrence counts equal those of a plain dictionary, for any memory limit."""

import tracemalloc
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.embeddings.cooccurrence import Cooccurrences, Entries, Ids, Offsets, count_runs, merge_runs

PLENTY = 2**24


@dataclass(frozen=True)
class KeptRun:
    keys: np.ndarray
    sums: np.ndarray

    def read(self, start: int, count: int) -> Entries:
        return self.keys[start : start + count].copy(), self.sums[start : start + count].copy()


def corpus(sentences: Sequence[Sequence[int]]) -> tuple[Ids, Offsets]:
    offsets = np.cumsum([0, *map(len, sentences)], dtype=np.int64)
    return np.array([word for sentence in sentences for word in sentence], np.int32), offsets


def random_sentences(vocabulary_size: int, lengths: Sequence[int]) -> list[list[int]]:
    generator = np.random.default_rng(0)
    weights = 1 / np.arange(1, vocabulary_size + 1)  # Zipf's law
    return [generator.choice(vocabulary_size, length, p=weights / weights.sum()).tolist() for length in lengths]


def runs_of(tokens: Ids, offsets: Offsets, window: int, memory: int) -> list[KeptRun]:
    vocabulary_size = int(tokens.max(initial=0)) + 1
    runs = count_runs(tokens, offsets, vocabulary_size=vocabulary_size, window=window, memory=memory)
    return [KeptRun(keys.copy(), sums.copy()) for keys, sums in runs]


def counted(pieces: Sequence[Cooccurrences]) -> dict[tuple[int, int], float]:
    triples = [t for p in pieces for t in zip(p.rows.tolist(), p.columns.tolist(), p.weights.tolist(), strict=True)]
    assert triples == sorted(triples)
    return {(row, column): weight for row, column, weight in triples}


def plainly_counted(sentences: Sequence[Sequence[int]], window: int) -> dict[tuple[int, int], float]:
    """X_ij for j <= i: for each occurrence of i, 1/distance for each occurrence of j around it."""
    counts: Counter[tuple[int, int]] = Counter()
    for sentence in sentences:
        for place, word in enumerate(sentence):
            for other in range(max(0, place - window), min(len(sentence), place + window + 1)):
                if other != place and sentence[other] <= word:
                    counts[word, sentence[other]] += 1 / abs(other - place)  # type: ignore[assignment]
    return dict(counts)


def test_pairs_count_by_distance_and_only_within_a_sentence() -> None:
    runs = runs_of(*corpus([[0, 1, 2], [1], [2, 2]]), window=2, memory=PLENTY)
    expected = {(1, 0): 1.0, (2, 0): 0.5, (2, 1): 1.0, (2, 2): 2.0}  # the last two words are in each other's window
    assert counted(list(merge_runs(runs, memory=PLENTY))) == expected


@pytest.mark.parametrize("window", [1, 3, 10])
@pytest.mark.parametrize("memory", [16 * 16, 1000, 5000, 100_000, PLENTY])
def test_counts_equal_a_dictionary_for_any_memory(window: int, memory: int) -> None:
    sentences = random_sentences(60, [0, 1, 2, 300, 5, 0, 40, 40, 7])
    runs = runs_of(*corpus(sentences), window=window, memory=memory)
    assert len(runs) == 2 or memory < PLENTY  # the dense triangle, and the rest
    merged = counted(list(merge_runs(runs, memory=memory)))
    expected = plainly_counted(sentences, window)
    assert merged.keys() == expected.keys()
    assert merged == pytest.approx(expected, rel=1e-6)


@given(st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=8), st.integers(1, 12), st.integers(300, 3000))
def test_any_corpus_equals_a_dictionary(sentences: list[list[int]], window: int, memory: int) -> None:
    merged = counted(list(merge_runs(runs_of(*corpus(sentences), window=window, memory=memory), memory=memory)))
    assert merged == pytest.approx(plainly_counted(sentences, window), rel=1e-6)


def test_little_memory_gives_many_runs_and_small_merged_pieces() -> None:
    tokens, offsets = corpus(random_sentences(200, [2000]))
    runs = runs_of(tokens, offsets, window=5, memory=10_000)
    assert len(runs) > 10
    assert all(16 * len(run.keys) <= 10_000 for run in runs)
    pieces = list(merge_runs(runs, memory=10_000))
    assert len(pieces) > 10
    assert all(12 * len(piece) <= 10_000 for piece in pieces)


def test_memory_stays_within_its_limit_for_any_corpus_length() -> None:
    memory, peaks = 2**22, []
    for repeats in (1, 10):
        tokens, offsets = corpus(random_sentences(20_000, [20_000]) * repeats)
        tracemalloc.start()
        for _ in count_runs(tokens, offsets, vocabulary_size=20_000, window=10, memory=memory):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert memory * 0.9 < peaks[0] < memory * 1.1  # the slack covers the compiler's memory
    assert peaks[1] < memory * 1.1


def test_merging_stays_within_its_limit() -> None:
    memory = 2**20
    runs = runs_of(*corpus(random_sentences(20_000, [100_000])), window=10, memory=2**22)
    assert sum(16 * len(run.keys) for run in runs) > 4 * memory
    tracemalloc.start()
    for _ in merge_runs(runs, memory=memory):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < memory * 1.1


@pytest.mark.parametrize("word", [-1, 3, 2**30])
def test_a_token_that_is_not_a_word_is_an_error(word: int) -> None:
    tokens, offsets = corpus([[0, 1, word, 2]])
    with pytest.raises(ValueError, match="not a word id"):
        list(count_runs(tokens, offsets, vocabulary_size=3, window=2, memory=PLENTY))


@pytest.mark.parametrize(
    ("vocabulary_size", "window", "memory"), [(0, 5, PLENTY), (2**29, 5, PLENTY), (9, 0, PLENTY), (9, 128, PLENTY), (9, 5, 79)]
)
def test_settings_out_of_range_are_errors(vocabulary_size: int, window: int, memory: int) -> None:
    with pytest.raises(ValueError, match=r"must have 1 to|too few"):
        list(count_runs(*corpus([[0, 1]]), vocabulary_size=vocabulary_size, window=window, memory=memory))
