"""GloVe, from a corpus on disk: count, then train."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from models.embeddings.glove import GloVeSettings, train_glove
from models.embeddings.hogwild import Corpus
from pipelines.corpora.cooccurrence_files import read_cooccurrences, write_cooccurrences
from pipelines.paths import VECTORS
from pipelines.progress import Progress
from pipelines.settings.vectors import GloVeVectors

MIB = 2**20


def glove_matrix(settings: GloVeVectors, corpus: Corpus, size: int, threads: int, seed: int) -> np.ndarray[Any, Any]:
    """Vectors of all words, [V, d]. The counts are as large as they are many, and do not outlive the training.

    Args:
        settings: see params.yaml.
        corpus: to count in.
        size: V.
        threads: to train with.
        seed: of first vectors and of the order.

    Raises:
        ValueError: no two words are near each other.
        FloatingPointError: the vectors grew beyond what a float holds.
    """
    VECTORS.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=VECTORS) as scratch:
        pairs = write_cooccurrences(
            Path(scratch),
            corpus.tokens,
            corpus.offsets,
            vocabulary_size=size,
            window=settings.window,
            memory=settings.memory_mib * MIB,
        )
        plain = GloVeSettings(**settings.model_dump(include={*GloVeSettings.__annotations__}))
        with Progress("glove", pairs * settings.epochs, "pairs") as bar:

            def progress(done: int, _loss: float) -> None:
                bar.advance(done)

            return train_glove(read_cooccurrences(Path(scratch)), size, plain, threads=threads, seed=seed, progress=progress)
