"""Drift of a model's texts: what counts, what is found, and what is not taken for drift."""

import base64
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.contents import Reference, Spread
from serving.telemetry.drift import EVERY, FEWEST, RATE, WINDOW, Drift
from serving.telemetry.meter import Text
from serving.telemetry.vectors import ngram_vector

BINS: dict[str, Any] = {"length_edges": [2, 5, 9], "length_shares": [0.1, 0.4, 0.3, 0.2], "label_shares": {"a": 0.25, "b": 0.75}}
REFERENCE = Reference(**BINS)
LENGTHS = (1, 4, 8, 20)  # one in each bin


def slowly() -> Callable[[], float]:
    """A clock that advances by a second at every look, so that no text is left out."""
    return count().__next__


def feed(drift: Drift, lengths: Sequence[int], labels: Sequence[str], first: int = 0) -> dict[str, float]:
    """Add texts, all of them different, and return the last values."""
    last: dict[str, float] = {}
    for i, (length, label) in enumerate(zip(lengths, labels, strict=True), start=first):
        last = drift.add(Text(length, label=label, content=str(i))) or last
    return last


def drawn(length_shares: Sequence[float], label_shares: Sequence[float], texts: int = WINDOW) -> tuple[list[int], list[str]]:
    numbers = np.random.default_rng(0)
    return numbers.choice(LENGTHS, texts, p=length_shares).tolist(), numbers.choice(["a", "b"], texts, p=label_shares).tolist()


def words(seed: int, letters: str, texts: int = WINDOW) -> list[str]:
    """Random words of three to nine of the letters."""
    numbers = np.random.default_rng(seed)
    return ["".join(numbers.choice(list(letters), size)) for size in numbers.integers(3, 10, texts)]


def spread(contents: Sequence[str]) -> Spread:
    vectors = np.array([ngram_vector(content) for content in contents], dtype=np.float64)
    return Spread(mean=vectors.mean(axis=0).tolist(), covariance=np.cov(vectors.T).tolist(), count=len(vectors))


def test_texts_like_the_training_data_do_not_drift() -> None:
    found = feed(Drift(REFERENCE, slowly()), *drawn([0.1, 0.4, 0.3, 0.2], [0.25, 0.75]))
    assert found.keys() == {"length", "label"}
    assert all(0 <= index < 0.02 for index in found.values())


def test_the_index_follows_its_definition() -> None:
    lengths, labels = [4] * 500 + [20] * 500, ["a"] * 1000
    found = feed(Drift(REFERENCE, slowly()), lengths, labels)
    now, then = np.array([0.001, 0.5, 0.001, 0.5]), np.array(REFERENCE.length_shares)
    assert found["length"] == pytest.approx(((now - then) * np.log(now / then)).sum())
    assert found["label"] > 0.25


def test_only_the_latest_texts_count() -> None:
    drift = Drift(REFERENCE, slowly())
    assert feed(drift, [20] * WINDOW, ["a"] * WINDOW)["length"] > 0.25
    assert feed(drift, *drawn([0.1, 0.4, 0.3, 0.2], [0.25, 0.75]), first=WINDOW)["length"] < 0.02


def test_too_few_texts_give_no_index() -> None:
    drift, texts = Drift(REFERENCE, slowly()), (Text(1, label="a", content=str(i)) for i in count())
    assert [drift.add(next(texts)) for _ in range(FEWEST - 1)] == [{}] * (FEWEST - 1)
    assert drift.add(next(texts))
    assert [drift.add(next(texts)) for _ in range(EVERY - 1)] == [{}] * (EVERY - 1)


def test_without_a_reference_there_is_no_index() -> None:
    assert feed(Drift(Reference(), slowly()), [1] * 500, ["a"] * 500) == {}


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from("abc")), min_size=FEWEST, max_size=FEWEST + 50))
def test_it_is_never_negative_and_always_finite(texts: list[tuple[int, str]]) -> None:
    found = feed(Drift(REFERENCE, slowly()), [length for length, _ in texts], [label for _, label in texts])
    assert found
    assert all(0 <= index < 100 for index in found.values())


def test_a_popular_text_counts_once() -> None:
    drift, (lengths, labels) = Drift(REFERENCE, slowly()), drawn([0.1, 0.4, 0.3, 0.2], [0.25, 0.75], 400)
    alone = feed(Drift(REFERENCE, slowly()), lengths, labels)
    last: dict[str, float] = {}
    for i, (length, label) in enumerate(zip(lengths, labels, strict=True)):
        last = drift.add(Text(length, label=label, content=str(i))) or last
        assert drift.add(Text(lengths[0], label=labels[0], content="0")) == {}
    assert last == alone


def test_what_has_no_content_counts_each_time() -> None:
    drift = Drift(REFERENCE, slowly())
    found = [drift.add(Text(20, label="a")) for _ in range(FEWEST)]
    assert found[-1]["length"] > 0.25


def test_a_text_counts_again_when_it_has_left_the_window() -> None:
    drift = Drift(REFERENCE, slowly())
    feed(drift, [20] * WINDOW, ["a"] * WINDOW)
    feed(drift, [4] * WINDOW, ["a"] * WINDOW, first=WINDOW)
    assert (
        feed(drift, [20] * WINDOW, ["a"] * WINDOW)["length"]
        == feed(Drift(REFERENCE, slowly()), [20] * WINDOW, ["a"] * WINDOW)["length"]
    )


def test_a_busy_server_measures_only_some_texts() -> None:
    now = [0.0]
    drift = Drift(REFERENCE, lambda: now[0])
    texts = (Text(4, label="a", content=str(i)) for i in count())
    updates = 0
    for _ in range(10):  # seconds
        updates += sum(bool(drift.add(next(texts))) for _ in range(10 * RATE))
        now[0] += 1
    assert updates == (10 * RATE - FEWEST) // EVERY + 1


def test_other_letters_are_found_and_the_same_ones_are_not() -> None:
    reference = Reference(ngrams=spread(words(1, "aeioubcdlmnrst")))
    same, other = Drift(reference, slowly()), Drift(reference, slowly())
    usual, unusual = dict[str, float](), dict[str, float]()
    for word in words(2, "aeioubcdlmnrst"):
        usual = same.add(Text(len(word), content=word)) or usual
    for word in words(3, "aeioubcdlmnrstyk"):
        unusual = other.add(Text(len(word), content=word)) or unusual
    assert usual["ngrams"] < 0.2
    assert unusual["ngrams"] > 0.6


def test_the_embedding_sees_other_words_and_the_window_keeps_no_text() -> None:
    units = np.random.default_rng(0).integers(-127, 128, (100, 4)).astype(np.int8)
    usual = np.random.default_rng(1).integers(0, 50, (WINDOW, 8))
    vectors = units[usual].mean(axis=1)
    reference = Reference(
        embedding=Spread(mean=vectors.mean(axis=0).tolist(), covariance=np.cov(vectors.T).tolist(), count=WINDOW),
        units=base64.b64encode(units.tobytes()),
    )
    drift = Drift(Reference.model_validate_json(reference.model_dump_json()), slowly())
    again = [drift.add(Text(8, content=f"text {i}", ids=row.tolist())) for i, row in enumerate(usual[::-1])]
    other = [drift.add(Text(8, content=f"other {i}", ids=(row + 50).tolist())) for i, row in enumerate(usual)]
    assert again[-1]["embedding"] < 0.2
    assert other[-1]["embedding"] > 0.6
    assert "text 5" not in repr(vars(drift))
