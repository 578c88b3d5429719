"""Classification of texts: characters or words in, class probabilities out, and of words how much each counted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.text.characters import CharacterTokenizer
from models.text.special import BOS, EOS, UNK
from models.text.word_tokenizer import WordTokenizer
from serving.arrays import FloatArray, batches_by_length, pad
from serving.bundle import GRAPH, TOKENIZER, Bundle
from serving.session import Session
from serving.watch import Watch

TOKENIZERS: Final[Mapping[str, Callable[[Path], CharacterTokenizer | WordTokenizer]]] = {
    "characters": CharacterTokenizer.load,
    "words": WordTokenizer.load,
}


@dataclass(frozen=True)
class Classified:
    """What a classifier makes of texts.

    Attributes:
        probabilities: P(class | text), calibrated, the classes in the order of the bundle's labels, [N, C].
        importances: of each text's words, in order and adding up to 1; empty where the graph reads characters.
    """

    probabilities: NDArray[np.float64]
    importances: Sequence[FloatArray]


class Classifier:
    """The classifier of a verified bundle.

    Args:
        folder: where the bundle lies.
        bundle: what `Bundle.load` said about it, of kind "classification".
        threads: cores that one call may use.

    The graph is one of two, by the name of its first input:

        characters [B, T] with BOS and EOS around them, lengths [B] -> logits [B, C]
        words [B, T], lengths [B] -> logits [B, C], importances [B, T]
    """

    def __init__(self, folder: Path, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle.of_kind("classification")
        self._model = Session(folder / GRAPH, threads=threads)
        self.units = self._model.inputs[0]
        self.tokenizer = TOKENIZERS[self.units](folder / TOKENIZER)

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Self:
        """Verify the bundle in `folder` and load it.

        Raises:
            BundleError: it is no intact classification bundle.
        """
        return cls(folder, Bundle.load(folder), threads=threads)

    def words(self, text: str) -> list[tuple[str, bool]]:
        """A text's words as they are looked up, and whether each is known; none where the graph reads characters."""
        if not isinstance(self.tokenizer, WordTokenizer):
            return []
        known = (i != UNK for i in self.tokenizer.encode(text))
        return list(zip(self.tokenizer.tokens(text), known, strict=True))

    def probabilities(self, texts: Sequence[str], *, batch_size: int = 64) -> NDArray[np.float64]:
        """P(class | text) [N, C], calibrated; see `classify`."""
        return self.classify(texts, batch_size=batch_size).probabilities

    def classify(self, texts: Sequence[str], *, batch_size: int = 64, watch: Watch | None = None) -> Classified:
        """Classify texts.

        Raises:
            DeadlineError: the watch ran out.
            ValueError: a text has no character or word.
        """
        ids = [self.tokenizer.encode(text) for text in texts]
        if not all(ids):
            raise ValueError(f"text {next(i for i, row in enumerate(ids) if not row)} has no {self.units} to classify")
        if self.units == "characters":
            ids = [[BOS, *row, EOS] for row in ids]
        logits = np.empty((len(texts), len(self.bundle.labels)), dtype=np.float64)
        importances: list[FloatArray] = [np.empty(0)] * len(texts)
        for batch in batches_by_length(ids, batch_size):
            padded, lengths = pad([ids[i] for i in batch])
            logits[batch], *rest = self._model(watch, **{self.units: padded, "lengths": lengths})
            for weights in rest:  # of the words, or none
                for i, row in zip(batch, weights, strict=True):
                    importances[i] = row[: len(ids[i])]
        logits /= self.bundle.temperature
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return Classified(probabilities, importances)
