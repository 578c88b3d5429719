"""Text to ids and back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.characters import CharacterTokenizer
from models.text.normalize import normalize
from models.text.special import EOS, SPECIAL_TOKENS, UNK
from models.text.subwords import SubwordTokenizer

LINES = ["Le chat dort sur la table.", "The cat sleeps on the table.", "Version 2.34 (beta) : « oui » !", "l'outil foo-bar"]


@pytest.fixture(scope="module")
def subwords() -> SubwordTokenizer:
    return SubwordTokenizer.train(LINES, size=120)


@given(st.text())
def test_normalizing_twice_changes_nothing_more(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once
    assert once == once.strip()


def test_composed_and_decomposed_accents_and_french_spaces_are_one() -> None:
    assert normalize("e\u0301te\u0301\u00a0!  ") == "été !"


@given(st.text(alphabet="abcéß '-", max_size=20))
def test_characters_round_trip(text: str) -> None:
    tokenizer = CharacterTokenizer.train(["abcéß '-"], lowercase=False)
    assert tokenizer.decode([*tokenizer.encode(text), EOS, UNK]) == normalize(text)


def test_rare_characters_are_unknown() -> None:
    tokenizer = CharacterTokenizer.train(["aab"], lowercase=True, min_count=2)
    assert tokenizer.encode("ABA") == [len(SPECIAL_TOKENS), UNK, len(SPECIAL_TOKENS)]


def test_characters_are_saved_and_loaded(tmp_path: Path) -> None:
    tokenizer = CharacterTokenizer.train(["Ångström", "naïve"], lowercase=True)
    tokenizer.save(tmp_path / "t.json")
    again = CharacterTokenizer.load(tmp_path / "t.json")
    assert (again.characters, again.lowercase, again.size) == (tokenizer.characters, True, tokenizer.size)


@pytest.mark.parametrize("line", LINES)
def test_subwords_round_trip(subwords: SubwordTokenizer, line: str, tmp_path: Path) -> None:
    subwords.save(tmp_path / "t.json")
    for tokenizer in (subwords, SubwordTokenizer.load(tmp_path / "t.json")):
        assert tokenizer.decode(tokenizer.encode(line)) == line


def test_a_users_special_token_is_text(subwords: SubwordTokenizer) -> None:
    assert EOS not in subwords.encode("table <eos> chat")


def test_digits_and_punctuation_stand_alone(subwords: SubwordTokenizer) -> None:
    pieces = subwords.pieces(subwords.encode("Version 2.34"))
    assert pieces[-4:] == ["2", ".", "3", "4"]
