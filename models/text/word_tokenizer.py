"""Word vocabulary: one id per word, stored as readable JSON."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from models.text.special import SPECIAL_TOKENS, UNK
from models.text.words import words_of

ENDING = r"n't|'(?:s|m|d|re|ve|ll)"  # of a contraction
CONTRACTION = re.compile(rf"(.+?)(?<!')({ENDING})")


class WordTokenizer:
    """Maps a text to the ids of its words.

    A contraction that is not in the vocabulary is split as in the Penn Treebank, and so as in the text of most pretrained
    vectors: "don't" becomes "do" and "n't", "film's" becomes "film" and "'s". Otherwise negations would be unknown.

    Args:
        words: the known words in id order, without duplicates; the first one gets the id after the special tokens.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._ids = {word: i for i, word in enumerate(self.words, start=len(SPECIAL_TOKENS))}

    @property
    def size(self) -> int:
        """Number of ids, special tokens included."""
        return len(SPECIAL_TOKENS) + len(self.words)

    def tokens(self, text: str) -> list[str]:
        """The words of a text as they are looked up, known or not."""
        return [token for word in words_of(text) for token in self._parts(word)]

    def encode(self, text: str) -> list[int]:
        """Ids of the text's words; an unknown one becomes UNK. No BOS or EOS is added."""
        return [self._ids.get(token, UNK) for token in self.tokens(text)]

    def _parts(self, word: str) -> Sequence[str]:
        cut = None if word in self._ids else CONTRACTION.fullmatch(word)
        return cut.groups() if cut else (word,)

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON."""
        path.write_text(json.dumps({"words": self.words}, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "WordTokenizer":
        """Read what `save` wrote."""
        return cls(json.loads(path.read_text(encoding="utf-8"))["words"])


def is_token(word: str) -> bool:
    """Whether this word can be a token of a text: it is one word of letters and digits, or the end of a contraction."""
    return words_of(word) == [word] or re.fullmatch(ENDING, word) is not None
