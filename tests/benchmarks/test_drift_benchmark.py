"""The benchmark of drift: it reads the thresholds that alert, and chooses them on other texts than it reports."""

import random
from collections import Counter

import numpy as np

from benchmarks import drift
from benchmarks.shifts import SHIFTS, half, joined, typos
from serving.telemetry.meter import Text


def test_the_thresholds_are_those_of_the_alerts() -> None:
    assert drift.thresholds() == {"length": 0.25, "label": 0.25, "ngrams": 0.6, "embedding": 0.6}


def test_every_second_text_is_for_choosing_and_the_others_are_for_the_report() -> None:
    texts = [str(i) for i in range(100)]
    chosen, reported = half(texts, "valid"), half(texts, "test")
    assert sorted(chosen + reported) == sorted(texts)


def test_there_are_twenty_shifts_of_every_model() -> None:
    assert len({shift.name for shift in SHIFTS}) == len(SHIFTS) == 20
    assert {shift.task for shift in SHIFTS} == drift.COLUMNS.keys()


def test_damage_is_as_strong_as_it_says() -> None:
    text = "a few words of a sentence " * 200
    assert text.count(" ") * 0.65 < joined(text, random.Random(1)).count(" ") < text.count(" ") * 0.75  # noqa: S311 - a sample, not a secret
    damaged = [typos("e", random.Random(i)) for i in range(5000)]  # noqa: S311 - a sample, not a secret
    assert 0.08 < sum(one != "e" for one in damaged) / len(damaged) < 0.12


def test_a_popular_text_repeats_and_others_do_not() -> None:
    texts = [Text(1, content=str(i)) for i in range(2000)]
    drawn = {popular: list(drift.traffic(texts, np.random.default_rng(1), popular=popular)) for popular in (False, True)}
    most = {popular: max(Counter(text.content for text in found).values()) for popular, found in drawn.items()}
    assert most[True] > 300
    assert most[False] < 10
