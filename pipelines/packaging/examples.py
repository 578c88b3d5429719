"""Requests that show what a model can do, each with the model's own answer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.text.vectors import NGRAMS, VOCABULARY
from pipelines.stage import StageError
from serving.bundle import Bundle
from serving.package import Example
from serving.predictor import load_predictor

TEXTS = {
    "surname": ("Rossi", "Nguyen"),
    "names": ("Sch", ""),
    "fr-en": ("Ce paquet contient les fichiers de développement.", "Un chien court dans la neige."),
    "sentiment": ("Beautifully shot, but dull.", "A warm, funny and beautifully acted film."),
}
ANALOGIES = ("man king woman", "france paris germany")  # man is to king as woman is to what?
UNKNOWN = "unwatchably"  # in no vocabulary


def examples(folder: Path, bundle: Bundle) -> list[Example]:
    """What the model of a bundle answers to requests of its task; the first is the one to show where there is room for one.

    Raises:
        StageError: the model refuses a request.
    """
    predictor, made = load_predictor(folder), []
    for summary, request in _requests(folder, bundle):
        (reply,) = predictor.answer([request])
        if reply.status != 200:
            raise StageError(f"{folder}: the model refuses the example {json.dumps(request)}: {reply.body['error']['message']}")
        made.append(Example(summary=summary, request=request, answer=json.loads(json.dumps(reply.body))))
    return made


def _requests(folder: Path, bundle: Bundle) -> Iterator[tuple[str, dict[str, Any]]]:
    match bundle.task:
        case "vectors":
            yield from _questions(folder, bundle)
        case "names":
            first, second = TEXTS[bundle.task]
            label = "German" if "German" in bundle.labels else bundle.labels[0]
            drawn = {"label": label, "seed": 7}
            yield "Three names of a nationality", _request(first, **drawn, num_return_sequences=3)
            yield "Names of any nationality, of several beginnings", _request([first, second], seed=7, temperature=0.5)
        case "sentiment":
            first, second = TEXTS[bundle.task]
            yield "A sentence, and what the model looked at", _request(first, explain=True)
            yield "Several sentences", _request([first, second])
        case "fr-en":
            first, second = TEXTS[bundle.task]
            yield "A sentence", _request(first)
            yield "Several sentences, and other translations of each", _request([first, second], num_return_sequences=2)
            yield "A sentence, and where the translator looked", _request(second, attention=True, num_beams=1)
        case task:
            first, second = TEXTS[task]
            yield "A name", _request(first, top_k=3)
            yield "Several names", _request([first, second], top_k=1)


def _questions(folder: Path, bundle: Bundle) -> Iterator[tuple[str, dict[str, Any]]]:
    known = json.loads((folder / bundle.methods[0] / VOCABULARY).read_text(encoding="utf-8"))["words"]
    analogies = [text for text in ANALOGIES if set(text.split()) <= set(known)] or [" ".join(known[:3])]
    a, b, _ = analogies[0].split()
    yield "What is to the third word as the second is to the first", _request(analogies[0], question="analogy", top_k=3)
    yield "Several such questions", _request(analogies, question="analogy", top_k=1)
    yield "The words most like each of two", _request([a, b], top_k=2)
    if any(name.endswith(f"/{NGRAMS}") for name in bundle.files):
        yield "The words most like one that was never seen", _request(UNKNOWN, top_k=3)
    yield "How alike two words are", _request(f"{a} {b}", question="similarity")
    if bundle.max_words is not None:
        yield "The vector of each word of a sentence", _request(f"the {b}", question="context", layer=0)


def _request(inputs: str | list[str], **parameters: object) -> dict[str, Any]:
    return {"inputs": inputs} | ({"parameters": parameters} if parameters else {})
