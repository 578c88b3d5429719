"""Words as rows of character ids: what a model reads that knows no list of words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.text.characters import CharacterTokenizer
from models.text.special import BOS, EOS, PAD, SPECIAL_TOKENS


class Speller:
    """Spells a word as BOS, its characters, EOS, and PAD up to a fixed length.

    The special tokens UNK, BOS and EOS are words of one character, themselves; so the marks at a sentence's ends have a
    spelling like any word. PAD is PAD alone.

    Args:
        characters: ids of the characters.
        longest: C, length of a spelling. The characters that do not fit between the marks are cut off at the word's end.

    Raises:
        ValueError: no character fits.
    """

    def __init__(self, characters: CharacterTokenizer, longest: int) -> None:
        if longest < 3:
            raise ValueError(f"a spelling of {longest} ids has no room for a character between its two marks")
        self.characters, self.longest = characters, longest

    def sentence(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Spellings of a sentence's words between those of BOS and EOS, [T + 2, C]."""
        return np.array([self._framed([BOS]), *map(self._word, words), self._framed([EOS])])

    def table(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Spellings of a vocabulary by id, the special tokens first, [V, C]."""
        special = [[PAD] * self.longest, *(self._framed([i]) for i in range(1, len(SPECIAL_TOKENS)))]
        return np.array([*special, *map(self._word, words)])

    def _word(self, word: str) -> list[int]:
        return self._framed(self.characters.encode(word[: self.longest]))  # the slice: a text without spaces may be one word

    def _framed(self, ids: list[int]) -> list[int]:
        spelling = [BOS, *ids[: self.longest - 2], EOS]
        return spelling + [PAD] * (self.longest - len(spelling))
