"""Reads records of data sets that were published in their own format."""

import ast
import html
import json
import re
import tarfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Literal

from anyascii import anyascii

from pipelines.data.reading.source import Record, RowSource
from pipelines.stage import StageError

# Nationality -> (locales of Faker, locales of mimesis). Locales whose lists mostly hold another country's names are left out.
LOCALES = {
    "Croatian": (["hr_HR"], ["hr"]),
    "Danish": (["da_DK"], ["da"]),
    "Dutch": (["nl_NL"], ["nl"]),
    "English": (["en_GB"], ["en"]),
    "Finnish": (["fi_FI"], ["fi"]),
    "French": (["fr_FR"], ["fr"]),
    "German": (["de_DE", "de_AT"], ["de", "de-at"]),
    "Greek": (["el_GR"], ["el"]),
    "Icelandic": ([], ["is"]),
    "Irish": (["ga_IE"], []),
    "Italian": (["it_IT"], ["it"]),
    "Polish": ([], ["pl"]),
    "Portuguese": (["pt_PT", "pt_BR"], ["pt", "pt-br"]),
    "Russian": (["ru_RU"], ["ru"]),
    "Slovak": (["sk_SK"], ["sk"]),
    "Spanish": (["es_ES"], ["es", "es-mx"]),
    "Swedish": (["sv_SE"], ["sv"]),
}
# Written in another script, which would give away the nationality.
TRANSLITERATED = {"Greek", "Russian"}

MEAN_RATINGS = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"

NEUTRAL = 2  # of the treebank's classes 0 to 4
NODE = re.compile(r"\((\d) |([^() ]+)\)|(\))")  # a phrase's class, a word that ends its phrase, the end of a longer phrase
APART = re.compile(r" (?=n't\b|'(?:s|m|d|re|ve|ll)\b)")  # the space inside a tokenized contraction
BRACKETS = re.compile(r"-(?:[lr][rsc]b)-", re.IGNORECASE)  # the treebank's names for brackets


class NameLists(RowSource):
    """Surnames from two libraries that generate test data: the columns `text` and `label` (the nationality)."""

    format: Literal["name_lists"]

    def records(self, folder: Path) -> Iterator[Record]:
        """See `RowSource`."""
        for nationality, (faker, mimesis) in LOCALES.items():
            names = [n for locale in faker for n in _faker_surnames(folder / "faker/providers/person" / locale / "__init__.py")]
            names += [n for locale in mimesis for n in _mimesis_surnames(folder / "mimesis/datasets" / locale / "person.json")]
            for name in names:
                yield {"text": anyascii(name) if nationality in TRANSLITERATED else name, "label": nationality}


def _faker_surnames(path: Path) -> Iterator[str]:
    """The string literals assigned to `last_names...` in a provider's source, which is parsed but never run."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id.startswith("last_names"):
                yield from (c.value for c in ast.walk(node.value) if isinstance(c, ast.Constant) and isinstance(c.value, str))


def _mimesis_surnames(path: Path) -> Iterator[str]:
    """One list of surnames, or one for each sex."""
    surnames = json.loads(path.read_text(encoding="utf-8"))["surnames"]
    yield from surnames if isinstance(surnames, list) else (name for names in surnames.values() for name in names)


class Ratings(RowSource):
    """Snippets of film reviews that people rated from -4 to 4 (Hutto and Gilbert 2014): the columns `text` and `label`.

    A mean above 0 is positive, one below 0 is negative; snippets with a mean of 0 are left out. `file` is an archive.
    """

    format: Literal["ratings"]

    def records(self, folder: Path) -> Iterator[Record]:
        """See `RowSource`."""
        with tarfile.open(folder / self.file) as archive:
            file = archive.extractfile(MEAN_RATINGS)
            lines = file.read().decode().splitlines() if file else []
        for line in lines:
            _, mean, text = line.split("\t", 2)
            if float(mean):
                yield {"text": html.unescape(text), "label": "positive" if float(mean) > 0 else "negative"}


class Trees(RowSource):
    """The Stanford Sentiment Treebank (Socher et al. 2013) in two classes, without neutral rows: `text` and `label`.

    Attributes:
        phrases: use every labelled phrase, not only sentences (Tai et al. 2015, arXiv 1503.00075, section 5.1).
    """

    format: Literal["trees"]
    phrases: bool = False

    def records(self, folder: Path) -> Iterator[Record]:
        """See `RowSource`; a sentence comes after its phrases."""
        for tree in (folder / self.file).read_text(encoding="utf-8").splitlines():
            nodes = list(_nodes(tree))
            for text, label in nodes if self.phrases else nodes[-1:]:
                if label != NEUTRAL:
                    yield {"text": text, "label": "positive" if label > NEUTRAL else "negative"}


def _nodes(tree: str) -> Iterator[tuple[str, int]]:
    """Each phrase of a tree and its class, in the order in which they end."""
    leaves: list[str] = []
    open_phrases: list[tuple[int, int]] = []  # class, position of the first word
    for label, word, _ in NODE.findall(tree):
        if label:
            open_phrases.append((int(label), len(leaves)))
            continue
        if word:
            leaves.append(word)
        kind, start = open_phrases.pop()
        yield BRACKETS.sub("", APART.sub("", " ".join(leaves[start:]))), kind


class Brown(RowSource):
    """The texts of the Brown corpus in file order, ca01 to cr18: the column `text`, one paragraph per line.

    `file` is a folder. Its files contain `word/tag` tokens in paragraphs separated by blank lines. Tags are dropped.
    """

    format: Literal["brown"]

    def records(self, folder: Path) -> Iterator[Record]:
        """See `RowSource`."""
        paths = sorted((folder / self.file).rglob("c[a-r][0-9][0-9]"), key=lambda path: path.name)
        if not paths:
            raise StageError(f"{folder} has no texts of the Brown corpus; download it again")
        for path in paths:
            lines = path.read_text(encoding="ascii").splitlines()
            paragraphs = (list(group) for filled, group in groupby(lines, lambda line: bool(line.strip())) if filled)
            words = ((_word(token, path) for line in paragraph for token in line.split()) for paragraph in paragraphs)
            yield {"text": "\n".join(map(" ".join, words))}


def _word(token: str, path: Path) -> str:
    word, _, _ = token.rpartition("/")  # the last one: a word may contain slashes
    if not word:
        raise StageError(f"{path}: {token!r} is not a word with a tag; download the corpus again")
    return word
