"""Helpers: random word vectors, requests to a bundle of them, and archives with wrong expected answers."""

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.text.subword_ngrams import Subwords
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from serving.bundle import sha256
from serving.contents import EXAMPLES, SHA256
from serving.endpoints.shared import Json
from serving.predictor import Reply, load_predictor
from serving.server.archive import MAR_MANIFEST

SEQLINE = [sys.executable, "-c", "from serving.command_line import main; main()"]  # `seqline` of this checkout
UNLUCKY = 30  # characters of a text on which the classifier `brittle` fails
MakeStore = Callable[..., Path]  # see conftest.py
WriteVectors = Callable[..., Path]  # see conftest.py
Body = dict[str, Any]  # of a request
# The message about a surname classifier whose archive `falsify` changed.
WRONG_HERE = (
    r"^classification: the model does not give its expected answers on this machine \(.*\): export it again here: "
    r"`dvc repro --force --single-item export@surname package@surname`\. .*; expected \"Klingon\"$"
)


def random_vectors(words: list[str], size: int, shortest: int = 0) -> WordVectors:
    """Vectors of the words; with n-grams of at least `shortest` characters unless that is 0."""
    numbers = np.random.default_rng(0)
    matrix, ngrams = (numbers.normal(size=(rows, size)).astype(np.float32) for rows in (len(words), 100))
    subwords = Subwords(ngrams, shortest, 6) if shortest else None
    return WordVectors(WordVocabulary(words, range(len(words), 0, -1)), matrix, {"method": "random"}, subwords)


def ask(folder: Path, *bodies: object) -> list[Reply]:
    return load_predictor(folder).answer(bodies)


def body(inputs: str | list[str], question: str = "nearest", **parameters: object) -> Body:
    return {"inputs": inputs, "parameters": {"question": question, **parameters}}


def answer(folder: Path, inputs: str | list[str], question: str = "nearest", **parameters: object) -> Json:
    (reply,) = ask(folder, body(inputs, question, **parameters))
    assert reply.status == 200, reply
    return reply.body


def fault(folder: Path, inputs: str | list[str], question: str = "nearest", **parameters: object) -> Json:
    (reply,) = ask(folder, body(inputs, question, **parameters))
    assert reply.status == 400, reply
    return reply.body["error"]


def falsify(archive: Path) -> None:
    """Change the expected answer to the archive's first example to "Klingon", which no model gives."""

    def change(content: bytes) -> bytes:
        said = json.loads(content)
        said[0]["answer"] = "Klingon"
        return json.dumps(said).encode()

    change_file(archive, EXAMPLES, change)


def as_version(archive: Path, version: str) -> Path:
    """Give an archive another version."""

    def change(content: bytes) -> bytes:
        said = json.loads(content)
        said["model"]["modelVersion"] = version
        return json.dumps(said).encode()

    change_file(archive, MAR_MANIFEST, change)
    return archive


def change_file(archive: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a file of an archive, and record the sha256 of the result."""
    with zipfile.ZipFile(archive) as source:
        files = {file: source.read(file) for file in source.namelist()}
    with zipfile.ZipFile(archive, "w") as target:
        for file, content in (files | {name: change(files[name])}).items():
            target.writestr(file, content)
    archive.with_suffix(SHA256).write_text(f"{sha256(archive)}  {archive.name}\n")


def assert_same(answer: Json, expected: Json) -> None:
    """Assert equality except for the last digits of numbers, which depend on the batch."""
    if isinstance(expected, dict):
        assert answer.keys() == expected.keys()
        answer, expected = list(answer.values()), list(expected.values())
    if isinstance(expected, list):
        for a, b in zip(answer, expected, strict=True):
            assert_same(a, b)
    else:
        assert answer == (pytest.approx(expected, rel=1e-4, abs=1e-6) if isinstance(expected, float) else expected)
