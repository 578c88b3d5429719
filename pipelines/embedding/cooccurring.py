"""GloVe from a corpus on disk: counts co-occurrences, then trains."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from models.embeddings.glove import GloVeSettings, train_glove
from models.embeddings.hogwild import Corpus
from pipelines.data.corpora.cooccurrence_files import read_cooccurrences, write_cooccurrences
from pipelines.embedding.keeper import FileKeeper
from pipelines.paths import VECTORS
from pipelines.progress import Progress
from pipelines.settings.vectors import GloVeVectors
from pipelines.stage import threads

MIB = 2**20


def glove_matrix(
    name: str, settings: GloVeVectors, corpus: Corpus, size: int, seed: int, keeper: FileKeeper
) -> np.ndarray[Any, Any]:
    """Vectors of all words, [V, d]. The counts can be large, so they are on disk and are deleted after training.

    Args:
        name: of the method.
        settings: see params.yaml.
        corpus: to count in.
        size: V.
        seed: of the initial vectors and the order.
        keeper: has the finished passes.

    Raises:
        ValueError: no two words co-occur.
        FloatingPointError: the vectors overflowed.
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
        with Progress(name, pairs * settings.epochs, "pairs", pairs * keeper.passes) as bar:

            def progress(done: int, _loss: float) -> None:
                bar.advance(done)

            counts = read_cooccurrences(Path(scratch))
            return train_glove(counts, size, plain, threads=threads(), seed=seed, progress=progress, keeper=keeper)
