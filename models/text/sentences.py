"""Sentence splitting with Wikimedia's `sentencex`, and the gaps between sentences."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sentencex import segment

from models.text.normalize import plain

# These do not end a sentence: initials, as in "M. Dupont" and "J.-P. Martin", and abbreviations that `sentencex` does not have.
INITIAL = re.compile(r"(?:^|[\W_])([^\W\d_])\.\s*$")
SHORT = re.compile(
    r"(?:^|[\W_])(?:Dr|Pr|Prof|Mme|Mlle|St|Ste|Cie|janv|févr|sept|oct|nov|déc|bd|réf|coll|trad|[Vv]ol|[Ff]ig|[Aa]rt|approx|Abb|inkl|pag)\.\s*$"
)
# White space and the marker of a list item.
LEAD = re.compile(r"\s*(?:(?:[-*+\u2022\u2023\u25aa\u25cf\u25e6\u00b7]|\(?\d{1,3}[.)]|\(?[a-z]\))\s+)?")


@dataclass(frozen=True)
class Sentences:
    """A plain text in parts: gap, sentence, gap, ..., sentence, gap.

    Attributes:
        sentences: in order, none empty.
        gaps: one more than sentences: white space, list markers, and parts without a letter or digit.
    """

    sentences: tuple[str, ...]
    gaps: tuple[str, ...]

    @classmethod
    def of(cls, text: str, language: str) -> "Sentences":
        """Split a text.

        A sentence also ends at the end of a line, unless the next line starts in lower case.

        Args:
            text: any text; it is converted to plain text first, see `models.text.normalize`.
            language: BCP 47 tag; common rules apply to one that `sentencex` does not support.
        """
        sentences, gaps = list[str](), [""]
        for part in _parts(plain(text), language):
            lead = LEAD.match(part)
            start = lead.end() if lead else 0
            sentence = part[start:].rstrip()
            if any(map(str.isalnum, sentence)):
                gaps[-1] += part[:start]
                sentences.append(sentence)
                gaps.append(part[start + len(sentence) :])
            else:
                gaps[-1] += part
        if not sentences and gaps[0].strip():  # only punctuation or emoji
            whole = gaps[0].strip()
            return cls((whole,), tuple(gaps[0].split(whole, 1)))
        return cls(tuple(sentences), tuple(gaps))

    def joined(self, translations: Iterable[str]) -> str:
        """Other sentences with the same gaps; an empty gap becomes a space after a sentence in a script with spaces."""
        first, *gaps = self.gaps
        parts = [first]
        for i, (translation, gap) in enumerate(zip(translations, gaps, strict=True), start=1):
            parts += [translation, gap or (" " if i < len(gaps) and translation.isascii() else "")]
        return "".join(parts)


def _parts(text: str, language: str) -> Iterator[str]:
    """The text in sentences, each with the white space and marks around it."""
    for lines in _lines(text):
        parts = list[str]()
        for piece in segment(language, lines):
            parts.append(piece)
            initial = INITIAL.search(piece)
            if not (initial and initial[1].isupper()) and not SHORT.search(piece):
                yield "".join(parts)
                parts.clear()
        yield "".join(parts)


def _lines(text: str) -> Iterator[str]:
    """The text in lines with their ends; one that starts in lower case is a part of the previous line."""
    whole = list[str]()
    for line in text.splitlines(keepends=True):
        if whole and not (whole[-1].strip() and line.lstrip()[:1].islower()):
            yield "".join(whole)
            whole.clear()
        whole.append(line)
    yield "".join(whole)
