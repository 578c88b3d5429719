"""Readers of dictionary formats: words and names with their translations."""

import gzip
import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from messages import Files, Message

FIRST_HEADWORD = re.compile(r"^(?!\s).*/.*/", re.MULTILINE)
HEADWORD = re.compile(r"(.+?) /.*/(?: <.*>)?")
NUMBER = re.compile(r"^\d+\. ")
SENSES = 3  # translations to keep per headword, so that no headword dominates
STAMP = re.compile(r"^fr\.utf8=(.+)$", re.MULTILINE)
NAMES = (  # paths in CLDR's XML trees
    "localeDisplayNames/territories/territory",
    "dates/calendars/calendar[@type='gregorian']/months/monthContext/monthWidth[@type='wide']/month",
    "dates/calendars/calendar[@type='gregorian']/days/dayContext/dayWidth[@type='wide']/day",
)


def read_french_dictionary(files: Files) -> Iterator[Message]:
    """Yield the entries of FreeDict's French-English dictionary."""
    yield from _entries(files)


def read_english_dictionary(files: Files) -> Iterator[Message]:
    """Yield the entries of FreeDict's English-French dictionary."""
    for word, translation in _entries(files):
        yield translation, word


def _entries(files: Files) -> Iterator[tuple[str, str]]:
    """Yield headword and translation. A headword line has the pronunciation; lines of synonymous translations follow it."""
    for content in files.values():
        text = gzip.decompress(content).decode("utf-8").replace("\u2010", "-")
        word, left = "", 0
        for line in text[_first_entry(text) :].splitlines():
            if match := HEADWORD.fullmatch(line):
                word, left = match[1], SENSES
                continue
            for translation in NUMBER.sub("", line.strip()).split(", "):
                if left and translation:
                    left -= 1
                    yield word, translation


def _first_entry(text: str) -> int:
    """Return the position of the first entry, after the dictionary's history."""
    match = FIRST_HEADWORD.search(text, text.index("FreeDict Dictionary ver."))
    return match.start() if match else len(text)


def read_annotations(files: Files) -> Iterator[Message]:
    """Yield CLDR's names of emoji."""
    french, english = ({**_spoken(files, f"annotations/{code}.xml")} for code in ("fr", "en"))
    for character, name in english.items():
        if character in french:
            yield french[character], name


def _spoken(files: Files, end: str) -> dict[str, str]:
    trees = [ET.fromstring(content) for path, content in files.items() if path.endswith(end)]  # noqa: S314 - a file of Debian's, signed
    return {e.get("cp", ""): e.text or "" for tree in trees for e in tree.iter("annotation") if e.get("type") == "tts"}


def read_names(files: Files) -> Iterator[Message]:
    """Yield CLDR's names of countries, months and days."""
    french, english = (_names(files, f"main/{code}.xml") for code in ("fr", "en"))
    for key, name in english.items():
        if key in french:
            yield french[key], name


def _names(files: Files, end: str) -> dict[tuple[str, str], str]:
    trees = [ET.fromstring(content) for path, content in files.items() if path.endswith(end)]  # noqa: S314 - as above
    found: dict[tuple[str, str], str] = {}
    for tree in trees:
        for path in NAMES:
            for element in tree.findall(path):
                if "alt" not in element.attrib:
                    found.setdefault((path, element.get("type", "")), element.text or "")
    return found


def read_stamps(files: Files) -> Iterator[Message]:
    """Yield the captions of Tux Paint's stamps. The first line of a file is English, the others are translations."""
    for content in files.values():
        text = content.decode("utf-8")
        if match := STAMP.search(text):
            yield match[1], text.partition("\n")[0]
