"""How the embedded stories are built: the readers of Debian's formats, and the filter on what they read."""

import gzip
import importlib
import struct
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
Modules = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def module() -> Modules:
    """Import a module next to rebuild.py, which runs as a script from its own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path("data/embedded").resolve()))
        for name in ("messages", "cleaning", "lexicons", "debian", "stories", "descriptions"):
            importlib.import_module(name)
    return importlib.import_module


def mo(messages: dict[str, str]) -> bytes:
    """A catalogue in the format of msgfmt."""
    rows = [(en.encode() + b"\0", fr.encode() + b"\0") for en, fr in sorted({"": "Language: fr\n", **messages}.items())]
    tables, texts, start = (b"", b""), b"", 28 + 16 * len(rows)
    for side in (0, 1):
        table = b""
        for row in rows:
            table += struct.pack("<2I", len(row[side]) - 1, start + len(texts))
            texts += row[side]
        tables = (table, b"") if side == 0 else (tables[0], table)
    header = struct.pack("<7I", 0x950412DE, 0, len(rows), 28, 28 + 8 * len(rows), 0, 0)
    return header + tables[0] + tables[1] + texts


def qm(messages: list[tuple[str, str, str]]) -> bytes:
    """A catalogue in the format of lrelease, from (context, English, French); the hash table is left empty."""
    body = b""
    for context, en, fr in messages:
        for tag, value in ((3, fr.encode("utf-16-be")), (6, en.encode()), (7, context.encode())):
            body += struct.pack(">BI", tag, len(value)) + value
        body += b"\x01"
    return bytes(16) + struct.pack(">BI", 0x42, 0) + struct.pack(">BI", 0x69, len(body)) + body


@given(st.dictionaries(TEXT, TEXT))
def test_compiled_catalogues_are_read_completely(module: Modules, catalogue: dict[str, str]) -> None:
    assert {en: fr for fr, en in module("messages").read_mo({"a.mo": mo(catalogue)})} == catalogue
    read = module("messages").read_qm({"a.qm": qm([("Menu", en, fr) for en, fr in catalogue.items()])})
    assert list(read) == [("Menu", (fr, en)) for en, fr in catalogue.items()]


def test_a_plural_message_gives_its_singular(module: Modules) -> None:
    assert list(module("messages").read_mo({"a.mo": mo({"one cat\0cats": "un chat\0chats"})})) == [("un chat", "one cat")]


def test_obsolete_messages_of_a_text_catalogue_are_skipped(module: Modules) -> None:
    text = (
        'msgid ""\nmsgstr "Language: fr"\n\n#: a.txt\nmsgid "Say \\"no\\"."\nmsgstr ""\n"Dis "\n"\\"non\\"."\n\n'
        'msgid "New"\nmsgstr ""\n\n#~ msgid "Old"\n#~ msgstr "Vieux"\n'
    )
    assert list(module("messages").read_po({"fr.po": text.encode()})) == [('Dis "non".', 'Say "no".')]


def test_dialogues_are_joined_by_line_id(module: Modules) -> None:
    english = 'dialogId("a", "font", "Who is it?")\n\ndialogId("b", "font", "Nobody.")\n'
    french = '\ndialogId("a", "font", "Who is it?")\ndialogStr("Qui est-ce ?")\n'
    files = {"./room/dialogs_en.lua": english.encode(), "./room/dialogs_fr.lua": french.encode()}
    assert list(module("messages").read_lua(files)) == [("Qui est-ce ?", "Who is it?")]


def test_dictionaries_are_read_in_either_direction(module: Modules) -> None:
    notes = "Notes\n word /x/\nX FreeDict Dictionary ver. 1\nhttp://x.org/\n"
    text = f"{notes}bouc /buk/ <n>\nhe-goat\nbordel /b/\n1. one, two\n2. three, four\n"
    files = {"a.dict.dz": gzip.compress(text.encode())}
    pairs = [("bouc", "he-goat"), ("bordel", "one"), ("bordel", "two"), ("bordel", "three")]
    assert list(module("lexicons").read_french_dictionary(files)) == pairs
    assert list(module("lexicons").read_english_dictionary(files)) == [(en, fr) for fr, en in pairs]


def test_annotations_are_joined_by_code_point(module: Modules) -> None:
    form = '<ldml><annotation cp="x">no</annotation><annotation cp="x" type="tts">{}</annotation></ldml>'
    named = {"annotations/fr.xml": "avocat", "annotations/en.xml": "avocado"}
    files = {f"./{path}": form.format(name).encode() for path, name in named.items()}
    assert list(module("lexicons").read_annotations(files)) == [("avocat", "avocado")]
    stamp = {"crown.txt": b"A crown.\nes.utf8=Una corona.\nfr.utf8=Une couronne.\n", "sound.txt": b"x\n"}
    assert list(module("lexicons").read_stamps(stamp)) == [("Une couronne.", "A crown.")]


@pytest.mark.parametrize(
    ("english", "french", "kept"),
    [
        ("female^<i>Who</i> is it?", "female^<i>Qui</i> est-ce ?", [("Qui est-ce ?", "Who is it?")]),
        (
            "I\u2019m here.\n\nYou too\u2026",
            "Je suis là.\nToi aussi\u2026",
            [("Je suis là.", "I'm here."), ("Toi aussi...", "You too...")],
        ),
        ("One.\nTwo.", "Un. Deux.", [("Un. Deux.", "One. Two.")]),
        ("Attack", "Attaquer", []),  # a label
        ("You have %d coins.", "Vous avez %d pièces.", []),
        ("Hello, $name.", "Bonjour, $name.", []),
        ("Click on the door.", "Clique sur la porte.", []),
        ("Knalga!", "Knalga!", []),
    ],
)
def test_sentences_are_kept_and_interfaces_are_not(
    module: Modules, english: str, french: str, kept: list[tuple[str, str]]
) -> None:
    assert list(module("cleaning").sentences((french, english))) == kept


@given(st.text(), st.text())
def test_whatever_is_kept_is_a_valid_row(module: Modules, french: str, english: str) -> None:
    cleaning = module("cleaning")
    for fr, en in [*cleaning.sentences((french, english)), *cleaning.entries((french, english))]:
        assert fr != en
        assert all(text == " ".join(text.split()) != "" and "<" not in text for text in (fr, en))
