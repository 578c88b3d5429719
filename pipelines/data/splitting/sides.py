"""Characteristics of the two sides of a parallel corpus, learned from it: no word lists of languages are needed."""

import re
from collections import Counter
from collections.abc import Sequence

from pipelines.data.reading.source import Row

WORD = re.compile(r"[^\W\d_]+")
# Characters of the scripts that are written without spaces: Thai, Lao, Myanmar, Khmer; kana and Han with their extensions.
SPACELESS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
FREQUENT = 0.002  # minimum share of a side's words that a frequent word has
TELLING = 10.0  # a word is typical of a side if it is this many times more frequent than on the other


def length(text: str) -> int:
    """Number of words separated by white space; in scripts without spaces, each character counts as one word."""
    return len(SPACELESS.sub(" x ", text).split())


class Sides:
    """How the sides of pairs differ.

    Args:
        sample: enough pairs to determine which words are frequent.
    """

    def __init__(self, sample: Sequence[Row]) -> None:
        lengths = [sum(map(length, side)) for side in ([r.source for r in sample], [r.target for r in sample])]
        self.ratio = max(lengths[1], 1) / max(lengths[0], 1)  # of the target's length over the source's
        counts = [
            Counter(w for text in side for w in _words(text))
            for side in zip(*((r.source, r.target) for r in sample), strict=True)
        ]
        self._telling = [_telling(*counts), _telling(*counts[::-1])] if counts else [frozenset[str](), frozenset[str]()]

    def look_swapped(self, source: str, target: str) -> bool:
        """Whether either text has more words that are typical of the other side than of its own."""
        own, other = self._telling
        return _more(source, other, own) or _more(target, own, other)


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _telling(here: Counter[str], there: Counter[str]) -> frozenset[str]:
    """The frequent words of one side that are rare on the other."""
    totals = here.total(), max(there.total(), 1)
    shares = {word: count / totals[0] for word, count in here.items() if count >= FREQUENT * totals[0]}
    return frozenset(word for word, share in shares.items() if share > TELLING * there[word] / totals[1])


def _more(text: str, these: frozenset[str], those: frozenset[str]) -> bool:
    words = _words(text)
    return sum(w in these for w in words) > sum(w in those for w in words)
