"""Co-occurrence counts on disk equal those in memory, and no other files remain."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.data.corpora.cooccurrence_files import read_cooccurrences, write_cooccurrences


def random_corpus() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    tokens = (300 * generator.random(20_000) ** 3).astype(np.int32)
    return tokens, np.arange(0, 20_001, 20, dtype=np.int64)


def test_files_do_not_depend_on_the_memory_limit(tmp_path: Path) -> None:
    tokens, offsets = random_corpus()
    lengths = {}
    for memory in (100_000, 2**24):
        folder = tmp_path / str(memory)
        lengths[memory] = write_cooccurrences(folder, tokens, offsets, vocabulary_size=300, window=5, memory=memory)
        assert sorted(path.name for path in folder.iterdir()) == ["columns.npy", "rows.npy", "weights.npy"]
    few, many = (read_cooccurrences(tmp_path / str(memory)) for memory in lengths)
    assert set(lengths.values()) == {len(many)}
    np.testing.assert_array_equal(few.rows, many.rows)
    np.testing.assert_array_equal(few.columns, many.columns)
    np.testing.assert_allclose(few.weights, many.weights, rtol=1e-6)
    events = sum(2 * (20 - distance) / distance for distance in range(1, 6)) * 1000  # total of X over all sentences
    assert many.weights.sum() + many.weights[many.rows != many.columns].sum() == pytest.approx(events, rel=1e-6)


def test_columns_are_memory_mapped_and_typed(tmp_path: Path) -> None:
    write_cooccurrences(tmp_path, *random_corpus(), vocabulary_size=300, window=2, memory=2**24)
    cooccurrences = read_cooccurrences(tmp_path)
    columns = (cooccurrences.rows, cooccurrences.columns, cooccurrences.weights)
    assert [column.dtype for column in columns] == [np.int32, np.int32, np.float32]
    assert all(isinstance(column, np.memmap) for column in columns)


def test_a_corpus_without_pairs_gives_no_entries(tmp_path: Path) -> None:
    tokens, offsets = np.array([0, 1, 0], np.int32), np.array([0, 1, 2, 3], np.int64)
    assert write_cooccurrences(tmp_path, tokens, offsets, vocabulary_size=2, window=2, memory=2**20) == 0
    assert len(read_cooccurrences(tmp_path)) == 0


def test_an_error_leaves_no_runs_behind(tmp_path: Path) -> None:
    tokens, offsets = random_corpus()
    with pytest.raises(ValueError, match="not a word id"):
        write_cooccurrences(tmp_path, tokens, offsets, vocabulary_size=200, window=5, memory=20_000)
    assert not list(tmp_path.iterdir())
