"""Deadlines: a pass that takes too long is stopped and does not affect the next one."""

import math
import time
from pathlib import Path

import numpy as np
import pytest

from serving.bundle import Bundle, Decoding
from serving.predictor import load_predictor
from serving.predictors.generation import DrawnToken, Generator, Prompt
from serving.predictors.sampling import Sampling
from serving.predictors.translation import Translator
from serving.predictors.watch import DeadlineError, Watch

LONG = Decoding(num_beams=10, min_length=60)


@pytest.fixture(scope="module")
def translator(bundles: dict[str, Path]) -> Translator:
    return Translator.load(bundles["translation"])


def test_a_search_stops_at_its_deadline(translator: Translator) -> None:
    texts = ["un chien court dans l'herbe"] * 64
    started = time.perf_counter()
    whole = translator.translate(texts, LONG, batch_size=64)
    took = time.perf_counter() - started
    started = time.perf_counter()
    with pytest.raises(DeadlineError):
        translator.translate(texts, LONG, batch_size=64, watch=Watch(time.monotonic() + took / 10))
    assert time.perf_counter() - started < took
    assert translator.translate(texts, LONG, batch_size=64) == whole


def test_the_deadline_is_also_checked_between_batches(translator: Translator) -> None:
    with pytest.raises(DeadlineError):
        translator.translate(["un chien"], watch=Watch(time.monotonic()))


def test_generation_stops_between_characters(bundles: dict[str, Path]) -> None:
    generator = Generator(bundles["generation"], Bundle.load(bundles["generation"]))
    drawn: list[DrawnToken] = []

    def hear(character: DrawnToken) -> None:
        drawn.append(character)
        time.sleep(0.05)

    prompt = Prompt("R", generator.bundle.labels[0], Sampling(), np.random.default_rng(0), 10, hear)
    with pytest.raises(DeadlineError):
        generator.generate([prompt] * 8, watch=Watch(time.monotonic() + 1.0))
    assert 0 < len(drawn) < 80


def test_a_watch_without_deadline_changes_nothing(translator: Translator) -> None:
    watch = Watch()
    assert translator.translate(["un chien"], watch=watch) == translator.translate(["un chien"])
    assert 0 < watch.model_s < math.inf


def test_other_errors_than_the_deadline_are_passed_on() -> None:
    with pytest.raises(ValueError, match="the model's own"), Watch(time.monotonic() + 60).model(lambda: None):
        raise ValueError("the model's own")


@pytest.mark.parametrize("kind", ["classification", "sentiment", "generation", "translation", "vectors"])
def test_a_late_request_does_not_affect_the_others(kind: str, bundles: dict[str, Path]) -> None:
    body = {"inputs": "ab"} | ({"parameters": {"seed": 1}} if kind == "generation" else {})
    predictor = load_predictor(bundles[kind])
    (alone,) = predictor.answer([body])
    late, timely = predictor.answer([body, body], deadlines=[time.monotonic(), time.monotonic() + 60])
    assert (late.status, late.code) == (504, "deadline_exceeded")
    assert timely == alone
