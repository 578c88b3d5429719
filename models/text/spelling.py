"""Words as rows of character ids, for models without a word vocabulary."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.text.characters import CharacterTokenizer
from models.text.special import BOS, EOS, PAD, SPECIAL_TOKENS


class Speller:
    """Spells a word as BOS, its characters, EOS, and PAD up to a fixed length.

    The special tokens UNK, BOS and EOS are words of one character, themselves, so that BOS and EOS of a sentence have a spelling
    like any word. PAD consists only of PAD.

    Args:
        characters: ids of the characters.
        longest: C, length of a spelling. Longer words are truncated to fit between BOS and EOS.

    Raises:
        ValueError: no character fits.
    """

    def __init__(self, characters: CharacterTokenizer, longest: int) -> None:
        if longest < 3:
            raise ValueError(f"a spelling of {longest} ids has no room for a character between BOS and EOS")
        self.characters, self.longest = characters, longest

    def sentence(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Spellings of a sentence's words between those of BOS and EOS, [T + 2, C]."""
        return np.array([self._framed([BOS]), *map(self._word, words), self._framed([EOS])])

    def table(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Spellings of a vocabulary by id, special tokens first, [V, C]."""
        special = [[PAD] * self.longest, *(self._framed([i]) for i in range(1, len(SPECIAL_TOKENS)))]
        return np.array([*special, *map(self._word, words)])

    def _word(self, word: str) -> list[int]:
        return self._framed(self.characters.encode(word[: self.longest]))  # the slice: a text without spaces may be one word

    def _framed(self, ids: list[int]) -> list[int]:
        spelling = [BOS, *ids[: self.longest - 2], EOS]
        return spelling + [PAD] * (self.longest - len(spelling))
