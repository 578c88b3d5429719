"""Parallel text: French sentences with their English translations."""

import gzip
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from models.text.normalize import normalize

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
    entry: bool = False  # no sentence but a word of a dictionary, or a name


def read_pairs(dataset: str, folder: Path) -> Iterator[Pair]:
    """All pairs of a data set that comes without splits of its own, in the order of its file.

    Args:
        dataset: debian-fr-en, debian-stories-fr-en or tatoeba-fr-en.
        folder: what the download stage made of it.
    """
    readers = {"debian-fr-en": read_debian, "debian-stories-fr-en": read_debian, "tatoeba-fr-en": read_tatoeba}
    return readers[dataset](folder)


def read_further(dataset: str, folder: Path) -> Iterator[Pair]:
    """What a data set holds for training and validation beside the pairs of `read_pairs`; most hold nothing.

    Args:
        dataset: as above.
        folder: what the download stage made of it.
    """
    return read_stories(folder) if dataset == "debian-stories-fr-en" else iter(())


def read_debian(folder: Path) -> Iterator[Pair]:
    """Descriptions of Debian packages, in sentences where both sides of a paragraph have as many, as paragraphs where not."""
    for package, french, english in _rows(folder / "debian-bookworm-descriptions.fr-en.tsv.gz"):
        yield from _sentences(Pair(package, french, english))


def read_stories(folder: Path) -> Iterator[Pair]:
    """Dialogues, lessons and captions of Debian's games and educational programs, in sentences as above, and dictionary entries.

    What is said in one go is a group, and so is an entry.
    """
    for number, (package, kind, french, english) in enumerate(_rows(folder / "debian-bookworm-stories.fr-en.tsv.gz")):
        yield from _sentences(Pair(f"{package}/{number}", french, english, entry=kind == "entry"))


def _rows(path: Path) -> Iterator[list[str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        next(lines)  # the header
        for line in lines:
            yield line.rstrip("\n").split("\t")


def _sentences(pair: Pair) -> Iterator[Pair]:
    fr, en = SENTENCE_END.split(pair.fr), SENTENCE_END.split(pair.en)
    if len(fr) == len(en):
        yield from (pair._replace(fr=f, en=e) for f, e in zip(fr, en, strict=True))
    else:
        yield pair


def read_tatoeba(folder: Path) -> Iterator[Pair]:
    """Tatoeba's English sentences with their French translations, often several of a sentence."""
    lines = (folder / "fra.txt").read_text(encoding="utf-8").splitlines()
    return iter(grouped([(french, english) for english, french in (line.split("\t") for line in lines)]))


def grouped(sides: Sequence[tuple[str, str]]) -> list[Pair]:
    """Pairs of a French and an English sentence, those that share either one in one group, whatever its case.

    So a group is a connected component of the graph whose edges are the pairs: what is a translation of a translation of a
    sentence is in the sentence's group, too. Its name is its first English sentence.
    """
    parents: dict[str, str] = {}

    def root(text: str) -> str:
        text = normalize(text).casefold()
        while (parent := parents.setdefault(text, text)) != text:
            parents[text] = parents[parent]  # path halving: later look-ups are shorter
            text = parent
        return text

    for french, english in sides:
        parents[root(french)] = root(english)
    names: dict[str, str] = {}
    return [Pair(names.setdefault(root(english), english), french, english) for french, english in sides]


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
