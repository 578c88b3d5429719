"""Near-duplicate texts, and parallel texts whose sides are in the wrong language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.reading.source import Row
from pipelines.data.splitting.overlap import Overlap
from pipelines.data.splitting.sides import Sides, length

WORDS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=6)
GERMAN = [
    Row(source=f"das Haus {i} ist auf der Straße und nicht alt", target=f"the house {i} is on the street and not old")
    for i in range(40)
]


@given(WORDS, WORDS)
def test_overlap_is_symmetric_and_reflexive(a: list[str], b: list[str]) -> None:
    assert Overlap([a]).like(a) == [0]
    assert Overlap([a]).like(b) == Overlap([b]).like(a)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one two three four five six seven", [1]),  # the same
        ("two three four five", [1]),  # a part of it
        ("zero one two three four five six seven eight", [1]),  # more than it
        ("one two three four five six other", [1]),  # one word differs
        ("one two three and something else entirely", []),
        ("seven six five four three two one", []),
        ("one two", []),
    ],
)
def test_overlapping_texts_are_found(text: str, expected: list[int]) -> None:
    assert Overlap([["unrelated"], ["one", "two", "three", "four", "five", "six", "seven"]]).like(text.split()) == expected


@pytest.mark.parametrize(
    ("source", "target", "wrong"),
    [
        ("der Hund ist nicht da", "the dog is not here", False),
        ("the dog is not here", "der Hund ist nicht da", True),
        ("the dog is not here", "the dog is not here", True),
        ("GNU Emacs", "GNU Emacs", False),  # names are not evidence; equal sides are dropped elsewhere
    ],
)
def test_a_side_in_the_wrong_language_is_found_by_the_corpus_words(source: str, target: str, wrong: bool) -> None:
    assert Sides(GERMAN).look_swapped(source, target) is wrong


def test_lengths_count_words_or_characters_in_scripts_without_spaces() -> None:
    assert length("the cat is on the mat") == 6
    assert length("猫はマットの上にいます") == 11
    assert length("Debian は OS です") == 5
    assert Sides([Row(source="猫がいます", target="there is a cat")] * 3).ratio == pytest.approx(4 / 5)
