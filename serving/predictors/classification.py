"""Text classification: class probabilities, and for models of subwords or words the importance of each unit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.text.characters import CharacterTokenizer
from models.text.special import BOS, EOS, UNK
from models.text.subwords import SubwordTokenizer
from models.text.word_tokenizer import WordTokenizer
from serving.bundle import GRAPH, TOKENIZER, Bundle
from serving.predictors.arrays import FloatArray, batches_by_length, pad
from serving.predictors.remember import remember
from serving.predictors.session import Session
from serving.predictors.watch import Watch

TOKENIZERS: Final[Mapping[str, Callable[[Path], CharacterTokenizer | SubwordTokenizer | WordTokenizer]]] = {
    "characters": CharacterTokenizer.load,
    "subwords": SubwordTokenizer.load,
    "words": WordTokenizer.load,
}


@dataclass(frozen=True)
class Classified:
    """The results of a classifier.

    Attributes:
        probabilities: calibrated P(class | text), classes in the order of the bundle's labels, [N, C].
        importances: importances of each text's units, in order, adding up to 1; empty if the graph reads characters.
    """

    probabilities: NDArray[np.float64]
    importances: Sequence[FloatArray]


class Classifier:
    """The classifier of a verified bundle.

    Args:
        folder: folder of the bundle.
        bundle: its manifest from `Bundle.load`, of kind "classification".
        threads: maximum number of cores that one call uses.

    The name of the graph's first input determines its signature:

        characters [B, T] including BOS and EOS, lengths [B] -> logits [B, C]
        subwords or words [B, T], lengths [B] -> logits [B, C], importances [B, T]
    """

    def __init__(self, folder: Path, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle.of_kind("classification")
        self._model = Session(folder / GRAPH, threads=threads)
        self.units = self._model.inputs[0]
        self.tokenizer = TOKENIZERS[self.units](folder / TOKENIZER)
        self.encode = remember(self.tokenizer.encode)
        self.read = remember(self._read)

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Self:
        """Verify the bundle in `folder` and load it.

        Raises:
            BundleError: it is not a valid classification bundle.
        """
        return cls(folder, Bundle.load(folder), threads=threads)

    def _read(self, text: str) -> str:
        """A text as the model reads it, before it is split into units."""
        match self.tokenizer:
            case CharacterTokenizer():
                return self.tokenizer.read(text)
            case WordTokenizer():
                return " ".join(self.tokenizer.tokens(text))
            case SubwordTokenizer():
                return "".join(self.tokenizer.words(text))

    def tokens(self, text: str) -> list[tuple[str, bool]]:
        """A text's subwords or words as they are looked up, and whether each is known; empty if the graph reads characters."""
        ids = self.encode(text)
        match self.tokenizer:
            case WordTokenizer():
                units = self.tokenizer.tokens(text)
            case SubwordTokenizer():
                units = self.tokenizer.pieces(ids)
            case _:
                return []
        return list(zip(units, (i != UNK for i in ids), strict=True))

    def probabilities(self, texts: Sequence[str], *, batch_size: int = 64) -> NDArray[np.float64]:
        """P(class | text) [N, C], calibrated; see `classify`."""
        return self.classify(texts, batch_size=batch_size).probabilities

    def classify(self, texts: Sequence[str], *, batch_size: int = 64, watch: Watch | None = None) -> Classified:
        """Classify texts.

        Raises:
            DeadlineError: the deadline passed.
            ValueError: a text has no units.
        """
        ids = [self.encode(text) for text in texts]
        if not all(ids):
            raise ValueError(f"text {next(i for i, row in enumerate(ids) if not row)} has no {self.units} to classify")
        if self.units == "characters":
            ids = [[BOS, *row, EOS] for row in ids]
        logits = np.empty((len(texts), len(self.bundle.labels)), dtype=np.float64)
        importances: list[FloatArray] = [np.empty(0)] * len(texts)
        for batch in batches_by_length(ids, batch_size):
            padded, lengths = pad([ids[i] for i in batch])
            logits[batch], *rest = self._model(watch, **{self.units: padded, "lengths": lengths})
            for weights in rest:  # importances of the units; absent for characters
                for i, row in zip(batch, weights, strict=True):
                    importances[i] = row[: len(ids[i])]
        logits /= self.bundle.temperature
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return Classified(probabilities, importances)
