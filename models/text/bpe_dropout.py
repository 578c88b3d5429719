"""BPE-dropout (Provilkov, Emelianenko and Voita 2020, arXiv 1910.13267): a word's subwords, drawn at random."""

import random
from collections.abc import Mapping, Sequence

from models.text.subwords import SubwordTokenizer

Ranks = Mapping[tuple[str, str], int]


class BpeDropout:
    """Segments texts as a tokenizer does, but leaves out each merge with probability p, drawn anew at every step (algorithm 1).

    p = 0 is the tokenizer's own segmentation, p = 1 single characters; what is segmented decodes to the same text in any case.
    The library's own dropout cannot be seeded, and what is prepared has to be the same each time.

    Args:
        tokenizer: gives words, merges and ids.
        p: share of the merges left out.
        seed: of the draws.
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
