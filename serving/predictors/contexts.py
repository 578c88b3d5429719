"""Contextual word vectors."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.text.characters import CharacterTokenizer
from models.text.special import PAD
from models.text.spelling import Speller
from models.text.words import words_of
from serving.bundle import CHARACTERS, CONTEXT
from serving.predictors.arrays import FloatArray, batches_by_length
from serving.predictors.session import Session
from serving.predictors.watch import Watch

SENTENCES_AT_ONCE = 64


class Contexts:
    """The contextual model of a verified bundle of vectors.

    Args:
        folder: folder of the bundle.
        threads: see `Session`.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self._session = Session(folder / CONTEXT, threads=threads)
        self._speller = Speller(CharacterTokenizer.load(folder / CHARACTERS), self._session.width("spellings"))

    def words(self, text: str) -> list[str]:
        """Split a sentence into words as the model reads them."""
        return words_of(text)

    def layers(self, sentences: Sequence[Sequence[str]], *, watch: Watch | None = None) -> list[FloatArray]:
        """Vectors of each word of each sentence; a sentence has one word or more.

        Returns:
            for each sentence [3, T, 2d]: vectors from the characters alone, the first recurrent layer and the second one.
            They do not depend on the other sentences in the batch.

        Raises:
            DeadlineError: the deadline passed.
        """
        layers: list[FloatArray] = [np.empty(0)] * len(sentences)
        for places in batches_by_length(sentences, SENTENCES_AT_ONCE):
            for place, states in zip(places, self._run([sentences[i] for i in places], watch), strict=True):
                layers[place] = states
        return layers

    def _run(self, sentences: Sequence[Sequence[str]], watch: Watch | None) -> list[FloatArray]:
        spelled = [self._speller.sentence(sentence) for sentence in sentences]
        lengths = np.array([len(spelling) for spelling in spelled], dtype=np.int64)
        batch = np.full((len(spelled), lengths.max(), self._speller.longest), PAD, dtype=np.int64)
        for row, spelling in zip(batch, spelled, strict=True):
            row[: len(spelling)] = spelling
        (layers,) = self._session(watch, spellings=batch, lengths=lengths)
        return [layers[:, i, 1 : length - 1] for i, length in enumerate(lengths.tolist())]  # without the start and end markers
