"""Parallel text: French sentences with their English translations."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-ZÀ-Ý«\"(])")

# Frequent words of one language that the other does not have: enough to tell which one a sentence is in.
FRENCH = frozenset(
    re.findall(r"\w+", "le la les un une des du de et est pour dans ce cette ces avec par sur qui que au aux ne pas ou")
)
ENGLISH = frozenset(
    re.findall(r"\w+", "the a an of and is for in this that these with by to from it are be or not you which can has")
)


class Pair(NamedTuple):
    """A sentence and its translation."""

    group: str  # pairs of one group stay in one split
    source: str
    target: str


def read_debian(folder: Path) -> Iterator[Pair]:
    """Descriptions of Debian packages, in sentences where both sides of a paragraph have as many, as paragraphs where not."""
    with gzip.open(folder / "debian-bookworm-descriptions.fr-en.tsv.gz", "rt", encoding="utf-8") as lines:
        next(lines)  # the header
        for line in lines:
            package, french, english = line.rstrip("\n").split("\t")
            sources, targets = SENTENCE_END.split(french), SENTENCE_END.split(english)
            if len(sources) == len(targets):
                yield from (Pair(package, s, t) for s, t in zip(sources, targets, strict=True))
            else:
                yield Pair(package, french, english)


def looks_swapped_or_untranslated(pair: Pair) -> bool:
    """True if the source has more English function words than French ones, or the target more French than English."""
    return _more(pair.source, ENGLISH, FRENCH) or _more(pair.target, FRENCH, ENGLISH)


def _more(text: str, these: frozenset[str], those: frozenset[str]) -> bool:
    words = re.findall(r"[^\W\d_]+", text.lower())
    return sum(w in these for w in words) > sum(w in those for w in words)
