"""From what a program says to sentences that teach a translator: no markup, no placeholders, nothing about menus and keys."""

import html
import re
from collections.abc import Iterator

from messages import Message

# The program puts something in their place: a translation of the rest would be of half a sentence.
PLACEHOLDER = re.compile(r"%[\d$.+-]*[a-zA-Z1-9]|\$\w|\{.*?\}|<ref>|\\|@\w|\|")
TAG = re.compile(r"</?\w[^<>]*>|\[/?[a-z]{1,3}\]")
MARKUP = re.compile(r"[<>]")  # what is left of it
CONTEXT = re.compile(r"^(?:[\w /:-]*\^|.*\x04)")  # what Wesnoth and gettext put before a message to tell it from its like
# How to work the program: of no use outside of it.
OPERATION = re.compile(
    r"\b(?:(?:click|drag)(?:s|ed|ing)?|tap|cursor|keyboard|arrow keys?|menu|hotkeys?|toolbar|dialog box|save ?games?|hit ?points?"
    r"|HP|XP|EXP|mana|debug|README|https?|www|FIXME|TODO)\b|:/|[#_=~^*]",
    re.IGNORECASE,
)
SENTENCE = re.compile(r"[.!?…][\"'»)\]]*$")
LETTER = re.compile(r"[^\W\d_]")
TYPOGRAPHIC = str.maketrans({"\u2019": "'", "\u2018": "'", "“": '"', "”": '"', "…": "...", "\u00ad": None, "\u200b": None})
LONGEST_ENTRY = 4  # words


def sentences(message: Message) -> Iterator[Message]:
    """The lines of a message that are sentences: paragraph by paragraph where both sides have as many, else as one."""
    fr, en = (CONTEXT.sub("", side) for side in message)
    if PLACEHOLDER.search(fr) or PLACEHOLDER.search(en):
        return
    parts = [[line for part in _plain(side).splitlines() if (line := _line(part))] for side in (fr, en)]
    if len(parts[0]) != len(parts[1]):
        parts = [[" ".join(lines)] for lines in parts]
    for french, english in zip(*parts, strict=True):
        if SENTENCE.search(french) and SENTENCE.search(english) and _teaches(french, english):
            yield french, english


def entries(message: Message) -> Iterator[Message]:
    """A word or name of a few words, and its translation."""
    fr, en = (_line(side) for side in message)
    if max(len(fr.split()), len(en.split())) <= LONGEST_ENTRY and not PLACEHOLDER.search(fr + en) and _teaches(fr, en):
        yield fr, en


def _plain(text: str) -> str:
    return html.unescape(TAG.sub("", text))


def _line(text: str) -> str:
    """In the letters and quotation marks that people type, with single spaces."""
    return " ".join(text.translate(TYPOGRAPHIC).split()).removeprefix("- ").removeprefix("-- ")


def _teaches(fr: str, en: str) -> bool:
    """Whether a pair has words, has been translated, and is about something else than the program."""
    words = LETTER.search(fr) and LETTER.search(en)
    return bool(words) and fr != en and not MARKUP.search(fr + en) and not OPERATION.search(en)
