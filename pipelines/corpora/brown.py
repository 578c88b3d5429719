"""The Brown corpus as one stream of words, cut as the first neural language model was measured on it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.text.special import BOS, SPECIAL_TOKENS, UNK
from models.text.words import WordVocabulary
from pipelines.stage import StageError

TRAIN_WORDS, VALID_WORDS = 800_000, 200_000  # of the stream; what is left is the test split
RARE = 3  # words seen so many times or less in the whole corpus become one symbol
TEXT, PARAGRAPH = "<text>", "<paragraph>"  # before each text, after each paragraph; no word of the corpus looks like them

Ids = NDArray[np.int32]


def read_brown(folder: Path) -> list[str]:
    """The words of all 500 texts in the order of their files, ca01 to cr18.

    As in Bengio et al. 2003 (JMLR 3, section 4.1) punctuation counts as words, case is kept, and marks separate texts and
    paragraphs. Tags are dropped.

    Args:
        folder: what the download stage made; the texts are files of `word/tag` in paragraphs parted by blank lines.

    Raises:
        StageError: there are no texts, or one is not of this form.
    """
    paths = sorted(folder.rglob("c[a-r][0-9][0-9]"), key=lambda path: path.name)
    if not paths:
        raise StageError(f"{folder} holds no texts of the Brown corpus; download it again")
    return [word for path in paths for word in _read_text(path)]


def _read_text(path: Path) -> list[str]:
    stream, ended = [TEXT], True
    for line in path.read_text(encoding="ascii").splitlines():
        words = [_word(token, path) for token in line.split()]
        if not words and not ended:
            stream.append(PARAGRAPH)
        stream += words
        ended = not words
    return stream if ended else [*stream, PARAGRAPH]


def _word(token: str, path: Path) -> str:
    word, _, _ = token.rpartition("/")  # the last: a word may have strokes of its own
    if not word:
        raise StageError(f"{path}: {token!r} is no word with its tag; download the corpus again")
    return word


@dataclass(frozen=True)
class Stream:
    """A corpus as ids.

    Args:
        vocabulary: the known words; their ids here are those of the vocabulary moved behind the special tokens. UNK stands
            for all other words.
        ids: the corpus, [N].
    """

    vocabulary: WordVocabulary
    ids: Ids

    @classmethod
    def number(cls, words: Sequence[str], rare: int = RARE) -> "Stream":
        """Merge the words seen `rare` times or less into UNK and number the rest."""
        vocabulary = WordVocabulary.count(Counter(words), rare + 1)
        ids = {word: i for i, word in enumerate(vocabulary.words, start=len(SPECIAL_TOKENS))}
        return cls(vocabulary, np.fromiter((ids.get(word, UNK) for word in words), np.int32, len(words)))

    def bounds(self) -> dict[str, tuple[int, int]]:
        """First position and end of each split.

        Raises:
            StageError: the corpus is too short to leave a test split.
        """
        test = TRAIN_WORDS + VALID_WORDS
        if len(self.ids) <= test:
            raise StageError(f"the corpus has {len(self.ids):,} words, and more than {test:,} are needed; download it again")
        return {"train": (0, TRAIN_WORDS), "valid": (TRAIN_WORDS, test), "test": (test, len(self.ids))}

    def windows(self, start: int, end: int, *, context: int, length: int) -> list[list[int]]:
        """Rows that predict each word from `start` to before `end` once, from the words before it, whichever split these are of.

        Args:
            start: position of the first word to predict.
            end: one behind the last.
            context: words at the beginning of each row that are not predicted in it; BOS before the corpus begins.
            length: words predicted in a row; fewer in the last one.
        """
        padded = np.concatenate((np.full(context, BOS, np.int32), self.ids[:end]))
        return [padded[first : first + context + length].tolist() for first in range(start, end, length)]
