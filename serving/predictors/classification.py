"""Classification of short texts, characters in and class probabilities out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.text.characters import CharacterTokenizer
from models.text.special import BOS, EOS
from serving.arrays import batches_by_length, pad
from serving.bundle import GRAPHS, TOKENIZER, Bundle
from serving.session import Session


class Classifier:
    """The classifier of a verified bundle.

    Args:
        folder: where the bundle lies.
        bundle: what `Bundle.load` said about it, of kind "classification".
        threads: cores that one call may use.

    The graph: characters [B, T] with BOS and EOS around them, lengths [B] -> logits [B, C].
    """

    def __init__(self, folder: Path, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle.of_kind("classification")
        self.tokenizer = CharacterTokenizer.load(folder / TOKENIZER)
        (graph,) = GRAPHS["classification"]
        self._model = Session(folder / graph, threads=threads)

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Self:
        """Verify the bundle in `folder` and load it.

        Raises:
            BundleError: it is no intact classification bundle.
        """
        return cls(folder, Bundle.load(folder), threads=threads)

    def probabilities(self, texts: Sequence[str], *, batch_size: int = 64) -> NDArray[np.float64]:
        """P(class | text) [N, C], calibrated, the classes in the order of the bundle's labels.

        Raises:
            ValueError: a text has no character.
        """
        ids = [self.tokenizer.encode(text) for text in texts]
        if not all(ids):
            raise ValueError(f"text {next(i for i, row in enumerate(ids) if not row)} has no character to classify")
        logits = np.empty((len(texts), len(self.bundle.labels)), dtype=np.float64)
        for batch in batches_by_length(ids, batch_size):
            characters, lengths = pad([[BOS, *ids[i], EOS] for i in batch])
            (logits[batch],) = self._model(characters=characters, lengths=lengths)
        logits /= self.bundle.temperature
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return probabilities
