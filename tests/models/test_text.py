"""Text to ids and back to text."""

import unicodedata
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.characters import CharacterTokenizer
from models.text.normalize import INVISIBLE, SIBLINGS, WIDE, normalize, normalize_label, plain
from models.text.special import EOS, SPECIAL_TOKENS, UNK
from models.text.subwords import SubwordTokenizer

LINES = ["Le chat dort sur la table.", "The cat sleeps on the table.", "Version 2.34 (beta) : (oui) !", "l'outil foo-bar"]


@pytest.fixture(scope="module")
def subwords() -> SubwordTokenizer:
    return SubwordTokenizer.train(LINES, size=120)


@given(st.text())
def test_normalizing_is_idempotent(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once
    assert once == once.strip()


def test_composed_and_decomposed_accents_and_french_spaces_are_unified() -> None:
    assert normalize("e\u0301te\u0301\u00a0!  ") == "été !"


MARKS = "\u0316\u0301"  # below and above, so a run of them has to be sorted


def test_no_run_of_marks_is_long_enough_to_take_long() -> None:
    assert len(normalize("e" + MARKS * 1000)) == 30  # one mark is composed with the letter
    assert normalize("e" + MARKS * 12) == unicodedata.normalize("NFC", "e" + MARKS * 12)


@pytest.mark.parametrize(
    "part", ["e" + MARKS, MARKS, "&", "&a", "&#", "<", "<p", "<br ", "\u00ab ", "\u00ab\u00bb", " ", "-- ", "\u200d", "\u2019"]
)
def test_normalizing_takes_about_linear_time(part: str) -> None:
    def seconds(times: int) -> float:
        began = process_time()
        normalize(part * times)
        return process_time() - began

    assert min(seconds(80_000) for _ in range(3)) < 3 * min(seconds(40_000) for _ in range(3)) + 0.05


@given(st.text(alphabet="eé\u0316\u0301 ", max_size=25))
def test_shorter_runs_are_composed_as_unicode_says(text: str) -> None:
    assert normalize(text) == " ".join(unicodedata.normalize("NFC", text).split())


@pytest.mark.parametrize(("meant", "written"), [*SIBLINGS.items(), *((plain, wide) for wide, plain in WIDE.items())])
def test_variants_become_plain_characters(meant: str, written: str) -> None:
    assert {plain(f"a{sibling}b") for sibling in written} == {f"a{meant}b"}


@given(st.text(alphabet="éab' -\n", max_size=20), st.text(st.from_regex(f"[{INVISIBLE}\x00\x92]", fullmatch=True)))
def test_invisible_marks_have_no_effect(text: str, marks: str) -> None:
    marks = marks.replace("\x92", "")
    assert normalize(marks.join(text)) == normalize(text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("l&#39;&eacute;t&#xe9;&nbsp;!", "l'été !"),
        ("a &mdash; b &hellip;", "a - b ..."),
        ("one<br>two<BR />three</p><p class='x'>four", "one two three four"),
        ("« un » et «\u202fdeux\u202f»", '"un" et "deux"'),
        ("das »Wort«", 'das "Wort"'),
        ("wait -- no", "wait - no"),
        ("\ufeffRossi", "Rossi"),
        ("O\x92Neill", "O'Neill"),
        ("e\u200b\u0301", "é"),
    ],
)
def test_text_from_word_processors_and_web_pages_becomes_plain(written: str, meant: str) -> None:
    assert normalize(written) == meant


@pytest.mark.parametrize(
    "text",
    [
        "x² ½ ™ €",
        "&amp; &lt;br&gt; &copy",
        "<b>, <pre> and <param>",
        "--help",
        "a<b",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "👩\u200d👩",
        "œuf",
    ],
)
def test_text_that_a_translator_has_to_copy_is_not_changed(text: str) -> None:
    assert normalize(text) == text


def test_labels_keep_their_characters() -> None:
    assert normalize_label("  Co\u0302te d\u2019Ivoire \u2013  x ") == "Côte d\u2019Ivoire \u2013 x"


@given(st.text(alphabet="abcéß '-", max_size=20))
def test_characters_round_trip(text: str) -> None:
    tokenizer = CharacterTokenizer.train(["abcéß '-"], lowercase=False)
    assert tokenizer.decode([*tokenizer.encode(text), EOS, UNK]) == normalize(text)


def test_rare_characters_are_unknown() -> None:
    tokenizer = CharacterTokenizer.train(["aab"], lowercase=True, min_count=2)
    assert tokenizer.encode("ABA") == [len(SPECIAL_TOKENS), UNK, len(SPECIAL_TOKENS)]


@pytest.mark.parametrize(
    ("text", "read"),
    [("Иванов", "ivanov"), ("İvanö", "ivano"), ("\u03bd\u0316o", "no"), ("李w", "李w"), ("v😀", "v😀"), ("Щ", "щ")],
)
def test_letters_of_other_scripts_are_transliterated(text: str, read: str) -> None:
    tokenizer = CharacterTokenizer(list("anoiv"), lowercase=True)
    assert tokenizer.read(text) == read
    assert tokenizer.encode(text) == [tokenizer.encode(c)[0] for c in read]


def test_known_letters_are_not_transliterated() -> None:
    assert CharacterTokenizer.train(["Иванов", "Ivanov"], lowercase=True).read("Иванов") == "иванов"


def test_subwords_fold_case_if_their_training_did(tmp_path: Path) -> None:
    SubwordTokenizer.train(LINES, size=120, lowercase=True).save(tmp_path / "t.json")
    tokenizer = SubwordTokenizer.load(tmp_path / "t.json")
    assert tokenizer.encode("LE CHAT DORT") == tokenizer.encode("le chat dort")
    assert UNK not in tokenizer.encode("LE CHAT DORT")
    assert tokenizer.words("LE CHAT") == tokenizer.words("le chat")


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


def test_digits_and_punctuation_are_separate_pieces(subwords: SubwordTokenizer) -> None:
    pieces = subwords.pieces(subwords.encode("Version 2.34"))
    assert pieces[-4:] == ["2", ".", "3", "4"]
