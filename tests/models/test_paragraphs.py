"""Splitting a text into sentences and joining them again."""

from itertools import chain, zip_longest
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.normalize import plain
from models.text.sentences import Sentences

FRAGMENTS = [
    "Oui.",
    "M. Dupont",
    "non",
    "...",
    "!",
    " ",
    "\n",
    "\r\n",
    "\t",
    "- ",
    "1. ",
    '"',
    "(",
    "3,5",
    "J.-P.",
    "😀",
    "<br>",
    "«",
    "»",
    "。",
]


@given(st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS)).map("".join)), st.sampled_from(["fr", "en", "zh", "xx"]))
def test_nothing_is_lost(text: str, language: str) -> None:
    found = Sentences.of(text, language)
    assert "".join(chain(*zip_longest(found.gaps, found.sentences, fillvalue=""))) == plain(text)
    assert all(sentence == sentence.strip() != "" for sentence in found.sentences)
    assert bool(found.sentences) == bool(plain(text).strip())


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Il pleut. Est-ce grave ? Non !", ["Il pleut.", "Est-ce grave ?", "Non !"]),
        ("M. Dupont et J.-P. Martin, Dr. en droit, voient Mme. Durand. Ils rient.", 2),
        ("Il coûte 3.50 euros (v. 2.0.1, etc.) ici. Voir la fig. 3.", 2),
        ("Il a dit : « Je viens. » Puis il est parti.", ['Il a dit : "Je viens."', "Puis il est parti."]),
        ("Titre\nUne phrase qui\ncontinue. Une autre.", ["Titre", "Une phrase qui\ncontinue.", "Une autre."]),
        ("Voici :\n - un chat ;\n - un chien.\n\n1. Fin", ["Voici :", "un chat ;", "un chien.", "Fin"]),
        ("Un<br />Deux<p>Trois", ["Un", "Deux", "Trois"]),
        ("***\nBonjour\n***", ["Bonjour"]),
        ("Attendez... Puis venez.", ["Attendez...", "Puis venez."]),
        ("!!!", ["!!!"]),
        (" \n", []),
    ],
)
def test_where_sentences_end(text: str, sentences: list[str] | int) -> None:
    found = Sentences.of(text, "fr").sentences
    assert len(found) == sentences if isinstance(sentences, int) else list(found) == sentences


def test_translations_are_joined_with_the_same_gaps() -> None:
    assert Sentences.of("  - Un.\n\n- Deux.\t Trois. ", "fr").joined(["A.", "B.", "C."]) == "  - A.\n\n- B.\t C. "


def test_sentences_without_a_space_get_one_in_scripts_with_spaces() -> None:
    found = Sentences.of("你好。我是人。", "zh")
    assert found.joined(["Hello.", "I am human."]) == "Hello. I am human."
    assert found.joined(["こんにちは。", "人です。"]) == "こんにちは。人です。"


@pytest.mark.parametrize(
    "part", ["a. ", "A.", "M. ", '"', "- a\n", "\n", "x\n", "[1] ", "1) ", '"a." ', "é", "...", "(", "« ", " <br> "]
)
def test_twice_the_text_takes_no_more_than_about_twice_the_time(part: str) -> None:
    def seconds(times: int) -> float:
        began = process_time()
        Sentences.of(part * times, "fr")
        return process_time() - began

    seconds(100)
    assert min(seconds(40_000) for _ in range(3)) < 3 * min(seconds(20_000) for _ in range(3)) + 0.05
