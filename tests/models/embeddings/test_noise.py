"""Subsampling of frequent words, noise sampling, and windows."""

from typing import Any

import numpy as np
import pytest

from models.cpu.compiled import compiled
from models.embeddings.draws import draw, keep_and_reach
from models.embeddings.sampling import FULL, AliasTable, alias_table, keep_thresholds, noise_distribution
from models.embeddings.workspace import Windows, new_windows


@compiled
def draw_many(table: Any, state: Any, drawn: Any) -> None:
    for n in range(len(drawn)):
        drawn[n] = draw(table, state)


@compiled
def read(words: Any, ends: Any, windows: Any, state: Any) -> int:
    return keep_and_reach(words, ends, windows, state)


def probabilities(table: AliasTable) -> Any:
    """The distribution that a table represents."""
    own = table.thresholds / FULL
    total = own.copy()
    np.add.at(total, table.aliases, 1 - own)
    return total / len(own)


def read_windows(words: list[int], ends: list[int], keep: Any, window: int, seed: int = 1) -> tuple[int, Windows]:
    windows = new_windows(keep, window)
    count = read(np.array(words, np.int32), np.array(ends), windows, np.array([seed], np.uint64))
    return count, windows


def test_noise_is_the_three_quarter_power_of_counts() -> None:
    np.testing.assert_allclose(noise_distribution(np.array([16, 81, 1])), np.array([8, 27, 1]) / 36)


@pytest.mark.parametrize("words", [2, 3, 1000])
def test_the_alias_table_is_exact(words: int) -> None:
    distribution = noise_distribution(np.random.default_rng(0).zipf(1.3, words).clip(max=10**9))
    np.testing.assert_allclose(probabilities(alias_table(distribution)), distribution, rtol=0, atol=2 / FULL)


def test_a_certain_word_is_always_drawn() -> None:
    drawn = np.zeros(1000, np.int32)
    draw_many(alias_table(np.array([0.0, 1.0, 0.0])), np.zeros(1, np.uint64), drawn)
    assert set(drawn.tolist()) == {1}


def test_noise_follows_its_distribution() -> None:
    distribution, drawn = noise_distribution(np.array([1000, 100, 50, 10, 1])), np.zeros(100_000, np.int32)
    draw_many(alias_table(distribution), np.array([3], np.uint64), drawn)
    error = np.sqrt(distribution * (1 - distribution) / len(drawn))
    assert (np.abs(np.bincount(drawn, minlength=5) / len(drawn) - distribution) < 5 * error).all()


def test_frequent_words_are_skipped_and_rare_ones_are_not() -> None:
    counts = np.array([1_000_000, 10_000, 900])
    thresholds = keep_thresholds(counts, 1e-3)
    ratio = 1e-3 * counts.sum() / counts[0]
    assert thresholds[0] / FULL == pytest.approx(ratio**0.5 + ratio)
    assert thresholds[2] == FULL - 1
    kept = sum(read_windows([0] * 10_000, [10_000], thresholds, 5, seed)[0] for seed in range(10))
    assert kept / 100_000 == pytest.approx(ratio**0.5 + ratio, rel=0.1)
    assert read_windows([2] * 10_000, [10_000], thresholds, 5)[0] == 10_000


def test_sample_zero_keeps_all_words() -> None:
    count, windows = read_windows([0, 1, 0], [3], keep_thresholds(np.array([10**9, 1]), 0), 5)
    assert (count, windows.kept[:3].tolist()) == (3, [0, 1, 0])


def test_windows_never_cross_the_end_of_a_sentence() -> None:
    ends = [1, 1, 4, 12, 40]  # of one word, none, three, ...
    sentence = np.repeat(np.arange(5), np.diff([0, *ends]))
    for seed in range(50):
        keep = np.full(40, FULL // 2 if seed % 2 else FULL - 1, np.uint32)
        count, windows = read_windows(list(range(40)), ends, keep, 5, seed)
        for i in range(count):
            members = windows.kept[windows.first[i] : windows.last[i]]
            assert windows.kept[i] in members
            assert set(sentence[members]) == {sentence[windows.kept[i]]}


def test_window_sizes_are_uniform() -> None:
    count, windows = read_windows([0] * 10_000, [10_000], np.array([FULL - 1], np.uint32), 5)
    reach = (windows.last - np.arange(count) - 1)[5:-5]
    np.testing.assert_array_equal(reach, (np.arange(count) - windows.first)[5:-5])
    assert np.bincount(reach, minlength=6)[1:] == pytest.approx([2000] * 5, abs=200)
