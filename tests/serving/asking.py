"""Word vectors to bundle, requests to such a bundle and its answers; archives whose model answers otherwise than they say."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.text.subword_ngrams import Subwords
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from serving.bundle import sha256
from serving.package import EXAMPLES, SHA256
from serving.predictor import load_predictor

MakeStore = Callable[..., Path]  # see conftest.py
# What is said of a classifier of surnames that `falsify` changed.
WRONG_HERE = (
    r"^classification: its known answers do not come out on this machine \(.*\): export it anew here: "
    r"`dvc repro --force --single-item export@surname package@surname`\. .* where its archive says \"Klingon\"$"
)


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


def falsify(archive):
    """Have the archive say that the model answers its first example with "Klingon", which no model does."""
    with zipfile.ZipFile(archive) as source:
        files = {name: source.read(name) for name in source.namelist()}
    said = json.loads(files[EXAMPLES])
    said[0]["answer"] = "Klingon"
    with zipfile.ZipFile(archive, "w") as target:
        for name, content in (files | {EXAMPLES: json.dumps(said).encode()}).items():
            target.writestr(name, content)
    archive.with_suffix(SHA256).write_text(f"{sha256(archive)}  {archive.name}\n")
