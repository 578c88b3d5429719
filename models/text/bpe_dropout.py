"""BPE-dropout (Provilkov, Emelianenko and Voita 2020, arXiv 1910.13267): random segmentation of words into subwords."""

import random
from collections.abc import Mapping, Sequence

from models.text.subwords import SubwordTokenizer

Ranks = Mapping[tuple[str, str], int]


class BpeDropout:
    """Segments texts like a tokenizer, but skips each merge with probability p, drawn again at every step (algorithm 1).

    p = 0 is the tokenizer's own segmentation, p = 1 single characters; the result always decodes to the same text. The library's
    own dropout cannot be seeded, but prepared data has to be reproducible.

    Args:
        tokenizer: provides words, merges and ids.
        p: share of the merges skipped.
        seed: of the random numbers.
    """

    def __init__(self, tokenizer: SubwordTokenizer, p: float, seed: int) -> None:
        self._tokenizer, self._p, self._random = tokenizer, p, random.Random(seed)  # noqa: S311 - no secret
        self._ranks: Ranks = {pair: rank for rank, pair in enumerate(tokenizer.merges)}

    def encode(self, text: str) -> list[int]:
        """Ids of the normalized text's subwords. No BOS or EOS is added."""
        return [i for word in self._tokenizer.words(text) for i in self._tokenizer.ids(self._segments(word))]

    def _segments(self, word: str) -> Sequence[str]:
        symbols = list(word)
        while True:
            merges = [
                (rank, i)
                for i in range(len(symbols) - 1)
                if (rank := self._ranks.get((symbols[i], symbols[i + 1]))) is not None and self._random.random() >= self._p
            ]
            if not merges:
                return symbols
            _, i = min(merges)
            symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
