"""Word vectors to bundle, requests to such a bundle, and what comes back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.text.subword_ngrams import Subwords
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from serving.predictor import load_predictor

MakeStore = Callable[..., Path]  # see conftest.py


def random_vectors(words: list[str], size: int, shortest: int = 0) -> WordVectors:
    """Vectors of the words; with n-grams of at least `shortest` characters where that is not 0."""
    numbers = np.random.default_rng(0)
    matrix, ngrams = (numbers.normal(size=(rows, size)).astype(np.float32) for rows in (len(words), 100))
    subwords = Subwords(ngrams, shortest, 6) if shortest else None
    return WordVectors(WordVocabulary(words, range(len(words), 0, -1)), matrix, {"method": "random"}, subwords)


def ask(folder, *bodies):
    return load_predictor(folder).answer(bodies)


def body(inputs, question="nearest", **parameters):
    return {"inputs": inputs, "parameters": {"question": question, **parameters}}


def answer(folder, inputs, question="nearest", **parameters):
    (reply,) = ask(folder, body(inputs, question, **parameters))
    assert reply.status == 200, reply
    return reply.body


def fault(folder, inputs, question="nearest", **parameters):
    (reply,) = ask(folder, body(inputs, question, **parameters))
    assert reply.status == 400, reply
    return reply.body["error"]
