"""Words and names with their translations. Readers of dictionaries' formats."""

import gzip
import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from messages import Files, Message

FIRST_HEADWORD = re.compile(r"^(?!\s).*/.*/", re.MULTILINE)
HEADWORD = re.compile(r"(.+?) /.*/(?: <.*>)?")
NUMBER = re.compile(r"^\d+\. ")
SENSES = 3  # translations of a headword that are kept: no word takes up the room of many
STAMP = re.compile(r"^fr\.utf8=(.+)$", re.MULTILINE)
NAMES = (  # of CLDR's trees, what people talk about
    "localeDisplayNames/territories/territory",
    "dates/calendars/calendar[@type='gregorian']/months/monthContext/monthWidth[@type='wide']/month",
    "dates/calendars/calendar[@type='gregorian']/days/dayContext/dayWidth[@type='wide']/day",
)


def read_french_dictionary(files: Files) -> Iterator[Message]:
    """FreeDict's French-English dictionary."""
    yield from _entries(files)


def read_english_dictionary(files: Files) -> Iterator[Message]:
    """FreeDict's English-French dictionary."""
    for word, translation in _entries(files):
        yield translation, word


def _entries(files: Files) -> Iterator[tuple[str, str]]:
    """Headword and translation. A headword comes with its pronunciation; its translations follow, in lines of synonyms."""
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
    """Where the history of the dictionary's making ends."""
    match = FIRST_HEADWORD.search(text, text.index("FreeDict Dictionary ver."))
    return match.start() if match else len(text)


def read_annotations(files: Files) -> Iterator[Message]:
    """CLDR's names of emoji: what each one shows."""
    french, english = ({**_spoken(files, f"annotations/{code}.xml")} for code in ("fr", "en"))
    for character, name in english.items():
        if character in french:
            yield french[character], name


def _spoken(files: Files, end: str) -> dict[str, str]:
    trees = [ET.fromstring(content) for path, content in files.items() if path.endswith(end)]  # noqa: S314 - a file of Debian's, signed
    return {e.get("cp", ""): e.text or "" for tree in trees for e in tree.iter("annotation") if e.get("type") == "tts"}


def read_names(files: Files) -> Iterator[Message]:
    """CLDR's names of countries, months and days."""
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
    """What Tux Paint's stamps show: the first line says it in English, the others in other languages."""
    for content in files.values():
        text = content.decode("utf-8")
        if match := STAMP.search(text):
            yield match[1], text.partition("\n")[0]
