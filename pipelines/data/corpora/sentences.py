"""Splits running text into sentences."""

import re
from collections.abc import Iterable, Iterator

from models.text.normalize import plain
from models.text.words import words_of

END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")  # white space after a sentence's end and any closing quotes or brackets


def sentences_of(texts: Iterable[str]) -> Iterator[list[str]]:
    """The words of each sentence that has any; one text is in memory at a time.

    Sentences end at ".", "!" or "?" before white space, and at a line break. "Mr. Smith" is therefore split, which costs
    a context window one neighbour.
    """
    return (words for text in texts for sentence in sentences(text) if (words := words_of(sentence)))


def sentences(text: str) -> list[str]:
    """A text's sentences; line breaks in markup also end one."""
    return END.split(plain(text))
