"""A corpus as one stream of words, split as for the first neural language model (Bengio et al. 2003)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.text.special import BOS, SPECIAL_TOKENS, UNK
from models.text.vectors import VOCABULARY
from models.text.words import WordVocabulary
from pipelines.settings.corpora import StreamPrepare
from pipelines.stage import StageError
from pipelines.store import write_split

TEXT, PARAGRAPH = "<text>", "<paragraph>"  # before each text, after each paragraph; no corpus word has this form

Ids = NDArray[np.int32]


def words_in_stream(texts: Iterable[str]) -> Iterator[str]:
    """The words of all texts, with markers between texts and paragraphs.

    As in Bengio et al. 2003 (JMLR 3, section 4.1), punctuation marks separated by white space count as words, and case is kept.

    Args:
        texts: one paragraph per line.
    """
    for text in texts:
        yield TEXT
        for paragraph in text.splitlines():
            if words := paragraph.split():
                yield from words
                yield PARAGRAPH


@dataclass(frozen=True)
class Stream:
    """A corpus as ids.

    Args:
        vocabulary: the known words; their ids here follow those of the special tokens. UNK stands for all other words.
        ids: the corpus, [N].
    """

    vocabulary: WordVocabulary
    ids: Ids

    @classmethod
    def number(cls, words: Sequence[str], rare: int) -> "Stream":
        """Replace words that occur at most `rare` times with UNK and number the rest."""
        vocabulary = WordVocabulary.count(Counter(words), rare + 1)
        ids = {word: i for i, word in enumerate(vocabulary.words, start=len(SPECIAL_TOKENS))}
        return cls(vocabulary, np.fromiter((ids.get(word, UNK) for word in words), np.int32, len(words)))

    def bounds(self, train: int, valid: int) -> dict[str, tuple[int, int]]:
        """First position and end of each split.

        Args:
            train: number of words in the training split.
            valid: number of words in the validation split; the rest is the test split.

        Raises:
            StageError: the test split is empty.
        """
        test = train + valid
        if len(self.ids) <= test:
            raise StageError(f"the corpus has {len(self.ids):,} words, and train_words and valid_words alone take {test:,}")
        return {"train": (0, train), "valid": (train, test), "test": (test, len(self.ids))}

    def windows(self, start: int, end: int, *, context: int, length: int) -> list[list[int]]:
        """Rows that predict each word in [start, end) once; the words before it may belong to another split.

        Args:
            start: position of the first word to predict.
            end: one past the last.
            context: words at the beginning of each row that it does not predict; BOS before the corpus begins.
            length: words that a row predicts; the last row may have fewer.
        """
        padded = np.concatenate((np.full(context, BOS, np.int32), self.ids[:end]))
        return [padded[first : first + context + length].tolist() for first in range(start, end, length)]


def prepare_stream(texts: Iterable[str], params: StreamPrepare, folder: Path) -> dict[str, float]:
    """Number the words and cut the stream into rows, split by split.

    Writes vocabulary.json, and for each split the column `words` as `pipelines.store.Split` reads it.

    Args:
        texts: one paragraph per line.
        params: see params.yaml.
        folder: created if needed.

    Returns:
        statistics.

    Raises:
        StageError: the corpus is too short.
    """
    stream = Stream.number(list(words_in_stream(texts)), params.rare)
    statistics: dict[str, float] = {"tokens": len(stream.ids), "vocabulary_size": len(stream.vocabulary)}
    for split, (start, end) in stream.bounds(params.train_words, params.valid_words).items():
        rows = stream.windows(start, end, context=params.order - 1, length=params.row_words)[: params.limit or None]
        write_split(folder / split, {"words": rows})
        statistics[f"{split}_words"] = sum(len(row) - params.order + 1 for row in rows)
    stream.vocabulary.save(folder / VOCABULARY)
    return statistics
