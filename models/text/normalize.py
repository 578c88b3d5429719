"""Text normalization, the first step for every text in training and in serving."""

import html
import re
import unicodedata
from typing import Final

# Plain character -> variants of it that keyboards, word processors and web pages produce.
SIBLINGS: Final = {
    "'": "\u2018\u2019\u201a\u201b\u2039\u203a\u2032\u2035\u02b9\u02bb\u02bc\u02bd\u0374\u00b4\u1ffd\uff07\x91\x92",
    '"': "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u2036\u301d\u301e\u301f\u02ba\u02ee\uff02\x93\x94",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d\x96\x97",
    " ": "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u2800\u3000\u3164\uffa0",
    "\n": "\u2028\u2029\x85\v\f\x1c\x1d\x1e\x1f",
    "/": "\u2044\u2215",
    "...": "\u2026",
    "..": "\u2025",
    "ff": "\ufb00",
    "fi": "\ufb01",
    "fl": "\ufb02",
    "ffi": "\ufb03",
    "ffl": "\ufb04",
    "st": "\ufb05\ufb06",
    "IJ": "\u0132",
    "ij": "\u0133",
    "'n": "\u0149",
}
# Soft hyphens, word joiners and zero-width spaces, direction marks, byte order marks, emoji variation selectors.
INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe0e\ufe0f\ufeff\ufff9-\ufffb"
)
CONTROL: Final = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x90\x95\x98-\x9f"
WIDE: Final = {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F) if chr(code).isalnum()}  # East Asian keyboards'
PLAIN: Final = str.maketrans({sibling: plain for plain, siblings in SIBLINGS.items() for sibling in siblings} | WIDE)

UNSEEN: Final = re.compile(f"[{INVISIBLE}{CONTROL}]+")
# Zero-width joiners after scripts that do not use them; Persian, the scripts of India and emoji need them.
JOINERS: Final = re.compile("(?:^|(?<=[\u0000-\u058f\\s]))[\u200c\u200d]+")
REFERENCE: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
BREAK: Final = re.compile(r"</?(?:br|p)(?:\s[^<>]*|/)?>", re.IGNORECASE)
GUILLEMETS: Final = re.compile("\u00ab[ \u00a0\u202f]([^\u00ab\u00bb]*)[ \u00a0\u202f]\u00bb")
LONG_DASH: Final = re.compile(r"(?<= )-{2,3}(?= )")

LONGEST_RUN: Final = 30  # of combining marks: no script needs more (UAX 15, section 13), and sorting n of them takes n**2 steps


def normalize(text: str, *, lowercase: bool = False) -> str:
    """The plain text on one line, with runs of white space as one space and none at the ends. Takes linear time."""
    folded = plain(text).lower() if lowercase else plain(text)
    return " ".join(folded.split())


def normalize_label(label: str) -> str:
    """A label for display: accents composed, white space as in `normalize`, characters not replaced."""
    return " ".join(unicodedata.normalize("NFC", label).split())


def plain(text: str) -> str:
    """The text in plain characters, with its lines and spaces. Takes linear time.

    Accents are composed (NFC). SIBLINGS are replaced, including the spaces inside French quotation marks, and INVISIBLE marks are
    removed. HTML line breaks become line breaks, and HTML character references become their characters, except "&", "<" and other
    markup characters, which a text about markup needs. Not NFKC: it would rewrite characters that a translator has to copy, like
    "²" and "™".
    """
    if "&" in text:
        text = REFERENCE.sub(_referred, text)
    if "\u00ab" in text:
        text = GUILLEMETS.sub(r'"\1"', text)
    if not (text.isascii() and text.isprintable()):
        text = JOINERS.sub("", UNSEEN.sub("", text.translate(PLAIN)))
        text = text if text.isascii() else unicodedata.normalize("NFC", _shorter_runs(text))
    if "<" in text:
        text = BREAK.sub("\n", text)
    return LONG_DASH.sub("-", text) if "--" in text else text


def _referred(reference: re.Match[str]) -> str:
    character = html.unescape(reference[0])
    return character if not character.isascii() or character in "'\"" else reference[0]


def _shorter_runs(text: str) -> str:
    """The text with runs of combining marks cut off at LONGEST_RUN."""
    kept, run = list[str](), 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run <= LONGEST_RUN:
            kept.append(character)
    return "".join(kept)
