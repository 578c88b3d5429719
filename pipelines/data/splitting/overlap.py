"""Finds duplicate and near-duplicate texts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

WIDTH = 3  # words of a shingle
MOST = 0.5  # share of the shingles that two different texts may have in common

Words = Sequence[str]


class Overlap:
    """Finds texts that resemble one of a collection.

    A text is represented by its shingles, the set of its runs of WIDTH words (Broder 1997, On the resemblance and containment
    of documents); a shorter text is one shingle. Two texts overlap if they share more than MOST of the smaller set: if they
    are the same, if one contains the other, or if only some words differ.

    Args:
        texts: the collection, as words.
    """

    def __init__(self, texts: Iterable[Words]) -> None:
        self._sizes: list[int] = []
        self._homes: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for i, words in enumerate(texts):
            found = _shingles(words)
            self._sizes.append(len(found))
            for shingle in found:
                self._homes[shingle].append(i)

    def like(self, words: Words) -> list[int]:
        """The indices of the texts in the collection that a text resembles."""
        found = _shingles(words)
        shared = Counter(i for shingle in found for i in self._homes.get(shingle, ()))
        return [i for i, n in shared.items() if n > MOST * min(self._sizes[i], len(found))]


def _shingles(words: Words) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + WIDTH]) for i in range(max(len(words) - WIDTH + 1, 1))}
