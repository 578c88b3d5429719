"""Example requests that show what a model can do, with the model's answers."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from models.text.vectors import NGRAMS, VOCABULARY
from pipelines.packaging.requests import request
from pipelines.settings.vectors import VectorsExamples
from pipelines.stage import StageError
from serving.bundle import Bundle
from serving.contents import Example
from serving.predictor import load_predictor

Requests = Iterable[tuple[str, dict[str, Any]]]


def answered(folder: Path, requests: Requests) -> list[Example]:
    """The examples with the answers of a bundle's model.

    Args:
        folder: of the bundle.
        requests: the summary and the body of each request.

    Raises:
        StageError: the model refuses a request.
    """
    predictor, made = load_predictor(folder), []
    for summary, body in requests:
        (reply,) = predictor.answer([body])
        if reply.status != 200:
            raise StageError(f"{folder}: the model refuses the example {json.dumps(body)}: {reply.body['error']['message']}")
        made.append(Example(summary=summary, request=body, answer=json.loads(json.dumps(reply.body))))
    return made


def questions(folder: Path, bundle: Bundle, shown: VectorsExamples) -> Iterator[tuple[str, dict[str, Any]]]:
    """Example requests for word vectors."""
    vocabulary = json.loads((folder / bundle.methods[0] / VOCABULARY).read_text(encoding="utf-8"))["words"]
    known = set(vocabulary)
    analogies = [text for text in shown.analogies if set(text.split()) <= known]
    a, b = shown.words if set(shown.words) <= known else vocabulary[:2]
    if analogies:
        yield "An analogy", request(analogies[0], question="analogy", top_k=3)
        yield "Several analogies", request(analogies, question="analogy", top_k=1)
    yield "The nearest neighbours of two words", request([a, b], top_k=2)
    if any(name.endswith(f"/{NGRAMS}") for name in bundle.files):
        yield "The nearest neighbours of an unknown word", request(shown.unknown, top_k=3)
    yield "The similarity of two words", request(f"{a} {b}", question="similarity")
    if bundle.max_words is not None:
        yield "The vector of each word of a sentence", request(f"the {b}", question="context", layer=0)
