"""Sentences about films that people rated, as words with a label: 1 for praise, 0 for blame."""

import html
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from models.text.words import words_of

Snippet = tuple[list[str], int]

RATINGS = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
MEAN_RATINGS = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"

TREES = {"train": "train.txt", "valid": "dev.txt", "test": "test.txt"}
NEUTRAL = 2  # of the classes 0 to 4
NODE = re.compile(r"\((\d) |([^() ]+)\)|(\))")  # a phrase's class, a word that ends its phrase, the end of a longer phrase
APART = re.compile(r" (?=n't\b|'(?:s|m|d|re|ve|ll)\b)")  # between the parts of a contraction
BRACKETS = {"lrb", "rrb"}  # what is left of the names that the treebank gives them


def read_rated(folder: Path) -> list[Snippet]:
    """The snippets of Rotten Tomatoes whose tone people rated (Hutto and Gilbert 2014), in the order of the file.

    People rated each from -4 to 4; a mean above 0 is praise, one below is blame, and what has a mean of 0 is left out.

    Args:
        folder: what the download stage made of rotten-tomatoes.
    """
    with tarfile.open(folder / RATINGS) as archive:
        file = archive.extractfile(MEAN_RATINGS)
        lines = file.read().decode().splitlines() if file else []
    rows = [line.split("\t", 2) for line in lines]
    rated = [(words_of(html.unescape(text)), float(mean)) for _, mean, text in rows]
    return [(words, int(mean > 0)) for words, mean in rated if words and mean != 0]


def read_trees(folder: Path, *, phrases: bool) -> dict[str, list[Snippet]]:
    """The Stanford Sentiment Treebank's own splits, train, valid and test, in two classes: the neutral ones are left out.

    Args:
        folder: what the download stage made of sst.
        phrases: for training take every phrase that is labelled, not sentences alone (Tai et al. 2015, arXiv 1503.00075,
            section 5.1). Each is taken once.
    """
    return {
        split: list(_snippets((folder / "trees" / name).read_text(encoding="utf-8"), phrases=phrases and split == "train"))
        for split, name in TREES.items()
    }


def _snippets(trees: str, *, phrases: bool) -> Iterator[Snippet]:
    """One sentence a line; with `phrases` whatever is below it, too, without repetitions."""
    seen: set[tuple[str, ...]] = set()
    for line in trees.splitlines():
        nodes = list(_nodes(line))
        for text, label in nodes if phrases else nodes[-1:]:  # a sentence ends last
            words = [word for word in words_of(text) if word not in BRACKETS]
            if not words or label == NEUTRAL or (phrases and tuple(words) in seen):
                continue
            seen.add(tuple(words))
            yield words, int(label > NEUTRAL)


def _nodes(tree: str) -> Iterator[tuple[str, int]]:
    """Each phrase of a tree and its class, in the order in which they end."""
    leaves: list[str] = []
    open_phrases: list[tuple[int, int]] = []  # class, place of the first word
    for label, word, _ in NODE.findall(tree):
        if label:
            open_phrases.append((int(label), len(leaves)))
            continue
        if word:
            leaves.append(word)
        kind, start = open_phrases.pop()
        yield APART.sub("", " ".join(leaves[start:])), kind
