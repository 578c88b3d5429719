"""Extracts training sentences from program messages, without markup, placeholders, and instructions about menus and keys."""

import html
import re
from collections.abc import Iterator

from messages import Message

# Placeholders: the program fills them in, so the text around them is an incomplete sentence.
PLACEHOLDER = re.compile(r"%[\d$.+-]*[a-zA-Z1-9]|\$\w|\{.*?\}|<ref>|\\|@\w|\|")
TAG = re.compile(r"</?\w[^<>]*>|\[/?[a-z]{1,3}\]")
MARKUP = re.compile(r"[<>]")  # remains after removing tags
CONTEXT = re.compile(r"^(?:[\w /:-]*\^|.*\x04)")  # prefix by which Wesnoth and gettext distinguish equal messages
# Words in instructions for using the program.
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
    """Yield the sentences of a message, by paragraph if both sides have the same number of them, otherwise as one text."""
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
    """Yield a dictionary entry of a few words and its translation, if it is usable."""
    fr, en = (_line(side) for side in message)
    if max(len(fr.split()), len(en.split())) <= LONGEST_ENTRY and not PLACEHOLDER.search(fr + en) and _teaches(fr, en):
        yield fr, en


def _plain(text: str) -> str:
    return html.unescape(TAG.sub("", text))


def _line(text: str) -> str:
    """Replace typographic characters by ASCII ones, and white space by single spaces."""
    return " ".join(text.translate(TYPOGRAPHIC).split()).removeprefix("- ").removeprefix("-- ")


def _teaches(fr: str, en: str) -> bool:
    """Return whether a pair has words, is translated, and is not about using the program."""
    words = LETTER.search(fr) and LETTER.search(en)
    return bool(words) and fr != en and not MARKUP.search(fr + en) and not OPERATION.search(en)
