"""Texts in capitals or title case are converted to the usual case of their words."""

from pathlib import Path

import pytest

from models.text.case import Truecaser

TEXTS = [
    "Ce paquet contient GNOME",
    "Voir le paquet de Paris et GNOME",
    "Paris en hiver",
    "GNOME est libre",
    "le Paquet de PARIS et de Paris",
]


@pytest.fixture(scope="module")
def case() -> Truecaser:
    return Truecaser.learn(TEXTS)


def test_forms_are_the_most_frequent_ones_ignoring_first_words(case: Truecaser) -> None:
    assert case.forms == {"gnome": "GNOME", "paris": "Paris"}


@pytest.mark.parametrize(
    ("written", "read", "translation", "given"),
    [
        ("CE PAQUET DE PARIS !", "Ce paquet de Paris !", "This package from Paris!", "THIS PACKAGE FROM PARIS!"),
        ("Le Paquet De Gnome", "Le paquet de GNOME", "The (GNOME) package", "The (GNOME) Package"),
        ("Le paquet de GNOME", "Le paquet de GNOME", "the package", "the package"),
        ("GNOME", "GNOME", "GNOME", "GNOME"),
        ("A", "A", "a", "a"),
        ("Saint-Paris 3", "Saint-Paris 3", "a b", "a b"),
        ("123 !", "123 !", "a", "a"),
        ("你好", "你好", "a", "a"),
        ("", "", "a", "a"),
    ],
)
def test_case_is_normalized_and_restored(case: Truecaser, written: str, read: str, translation: str, given: str) -> None:
    usual, restore = case.read(written)
    assert (usual, restore(translation)) == (read, given)


def test_learned_forms_are_saved(case: Truecaser, tmp_path: Path) -> None:
    case.save(tmp_path / "case.json")
    assert Truecaser.load(tmp_path / "case.json").forms == case.forms
