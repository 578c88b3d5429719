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

# Multi30k's own splits: the names of their files. The test set of 2016 is the one that papers report.
MULTI30K = {"train": "train", "valid": "val", "test": "test_2016_flickr", "test_2017_flickr": "test_2017_flickr"}


class Pair(NamedTuple):
    """A sentence in both languages."""

    group: str  # pairs of one group stay in one split
    fr: str
    en: str


def read_pairs(dataset: str, folder: Path) -> Iterator[Pair]:
    """All pairs of a data set that comes without splits of its own, in the order of its file.

    Args:
        dataset: debian-fr-en or tatoeba-fr-en.
        folder: what the download stage made of it.
    """
    readers = {"debian-fr-en": read_debian, "tatoeba-fr-en": read_tatoeba}
    return readers[dataset](folder)


def read_debian(folder: Path) -> Iterator[Pair]:
    """Descriptions of Debian packages, in sentences where both sides of a paragraph have as many, as paragraphs where not."""
    with gzip.open(folder / "debian-bookworm-descriptions.fr-en.tsv.gz", "rt", encoding="utf-8") as lines:
        next(lines)  # the header
        for line in lines:
            package, french, english = line.rstrip("\n").split("\t")
            fr, en = SENTENCE_END.split(french), SENTENCE_END.split(english)
            if len(fr) == len(en):
                yield from (Pair(package, f, e) for f, e in zip(fr, en, strict=True))
            else:
                yield Pair(package, french, english)


def read_tatoeba(folder: Path) -> Iterator[Pair]:
    """Tatoeba's English sentences with their French translations: those of one sentence, often several, are a group."""
    with (folder / "fra.txt").open(encoding="utf-8") as lines:
        for line in lines:
            english, french = line.rstrip("\n").split("\t")
            yield Pair(english, french, english)


def read_multi30k(folder: Path) -> dict[str, list[Pair]]:
    """The splits of Multi30k (Elliott et al. 2016), every line of them: train, valid, test, and the further test set of 2017.

    Args:
        folder: what the download stage made of multi30k-fr-en.
    """
    return {
        split: [Pair("", f, e) for f, e in zip(*(_lines(folder / f"{name}.{side}.gz") for side in ("fr", "en")), strict=True)]
        for split, name in MULTI30K.items()
    }


def _lines(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [line.rstrip("\n") for line in lines]


def looks_swapped_or_untranslated(pair: Pair) -> bool:
    """True if the French side has more English function words than French ones, or the English one more French than English."""
    return _more(pair.fr, ENGLISH, FRENCH) or _more(pair.en, FRENCH, ENGLISH)


def _more(text: str, these: frozenset[str], those: frozenset[str]) -> bool:
    words = re.findall(r"[^\W\d_]+", text.lower())
    return sum(w in these for w in words) > sum(w in those for w in words)
