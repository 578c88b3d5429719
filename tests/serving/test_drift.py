"""The population stability index of a model's texts."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.contents import Reference
from serving.telemetry.drift import EVERY, FEWEST, Drift
from serving.telemetry.meter import Text

REFERENCE = Reference(length_edges=[2, 5, 9], length_shares=[0.1, 0.4, 0.3, 0.2], label_shares={"a": 0.25, "b": 0.75})
LENGTHS = (1, 4, 8, 20)  # one in each bin


def feed(drift: Drift, lengths: Sequence[int], labels: Sequence[str]) -> dict[str, float]:
    last: dict[str, float] = {}
    for length, label in zip(lengths, labels, strict=True):
        last = drift.add(Text(length, label=label)) or last
    return last


def drawn(length_shares: Sequence[float], label_shares: Sequence[float], count: int = 1000) -> tuple[list[int], list[str]]:
    numbers = np.random.default_rng(0)
    return numbers.choice(LENGTHS, count, p=length_shares).tolist(), numbers.choice(["a", "b"], count, p=label_shares).tolist()


def test_texts_like_the_training_data_do_not_drift() -> None:
    found = feed(Drift(REFERENCE), *drawn([0.1, 0.4, 0.3, 0.2], [0.25, 0.75]))
    assert found.keys() == {"length", "label"}
    assert all(0 <= index < 0.02 for index in found.values())


def test_the_index_follows_its_definition() -> None:
    lengths, labels = [4] * 500 + [20] * 500, ["a"] * 1000
    found = feed(Drift(REFERENCE), lengths, labels)
    now, then = np.array([0.001, 0.5, 0.001, 0.5]), np.array(REFERENCE.length_shares)
    assert found["length"] == pytest.approx(((now - then) * np.log(now / then)).sum())
    assert found["label"] > 0.25


def test_only_the_latest_texts_count() -> None:
    drift = Drift(REFERENCE)
    assert feed(drift, [20] * 1000, ["a"] * 1000)["length"] > 0.25
    assert feed(drift, *drawn([0.1, 0.4, 0.3, 0.2], [0.25, 0.75]))["length"] < 0.02


def test_too_few_texts_give_no_index() -> None:
    drift = Drift(REFERENCE)
    assert [drift.add(Text(1, label="a")) for _ in range(FEWEST - 1)] == [{}] * (FEWEST - 1)
    assert drift.add(Text(1, label="a"))
    assert [drift.add(Text(1, label="a")) for _ in range(EVERY - 1)] == [{}] * (EVERY - 1)


def test_without_a_reference_there_is_no_index() -> None:
    assert feed(Drift(Reference()), [1] * 500, ["a"] * 500) == {}


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from("abc")), min_size=FEWEST, max_size=300))
def test_it_is_never_negative_and_always_finite(texts: list[tuple[int, str]]) -> None:
    found = feed(Drift(REFERENCE), [length for length, _ in texts], [label for _, label in texts])
    assert all(0 <= index < 100 for index in found.values())
