"""Texts that say what another text says, word for word or nearly so."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

WIDTH = 3  # words of a shingle
MOST = 0.5  # share of the shingles that two different texts may have in common

Words = Sequence[str]


class Overlap:
    """Finds texts that resemble one of a collection.

    A text is the set of its runs of WIDTH words, its shingles (Broder 1997, On the resemblance and containment of documents);
    one that is shorter is a shingle by itself. Two texts overlap if they share more than MOST of the smaller set: if they are
    the same, if one holds the other, or if only some words differ.

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

    def __contains__(self, words: Words) -> bool:
        found = _shingles(words)
        shared = Counter(i for shingle in found for i in self._homes.get(shingle, ()))
        return any(n > MOST * min(self._sizes[i], len(found)) for i, n in shared.items())


def _shingles(words: Words) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + WIDTH]) for i in range(max(len(words) - WIDTH + 1, 1))}
