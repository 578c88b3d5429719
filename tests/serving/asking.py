"""Requests to a bundle of word vectors, and what comes back."""

from collections.abc import Callable
from pathlib import Path

from serving.predictor import load_predictor

MakeStore = Callable[..., Path]  # see conftest.py


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
