"""A corpus as one long array of word ids, written while it is read: memory use does not depend on its size."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import chain, count, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from models.text.vectors import VOCABULARY
from models.text.words import WordVocabulary
from pipelines.settings.corpora import WordsPrepare
from pipelines.stage import StageError
from pipelines.store import GrowingArray

COUNTS = "counts.json"
WORDS, OFFSETS = "words.npy", "words.offsets.npy"
BATCH = 10_000  # sentences written at once


def prepare_words(sentences: Iterable[list[str]], params: WordsPrepare, folder: Path) -> dict[str, float]:
    """Count the words and write the ids of the known ones, sentence by sentence.

    Writes vocabulary.json, and train/words.npy with train/words.offsets.npy as `pipelines.store.Split` reads them. As in
    word2vec, rare words are removed and their neighbours become adjacent. counts.json has the count of every word, rare or not.

    Rare words are only known after the whole corpus has been read. Tokenizing the text a second time would take as long as
    everything else, so words get provisional numbers, which stay on disk until they are replaced with ids.

    Args:
        sentences: the corpus; each sentence has at least one word.
        params: see params.yaml.
        folder: created if needed.

    Returns:
        statistics.

    Raises:
        StageError: fewer than two words occur often enough.
    """
    (folder / "train").mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as scratch:
        counts = _number(islice(sentences, params.limit or None), Path(scratch))
        vocabulary = WordVocabulary.count(counts, params.min_count)
        if len(vocabulary) < 2:
            few = f"{len(vocabulary)} words occur {params.min_count} times or more"
            raise StageError(f"{few}; lower min_count, or take more text")
        ids = np.array([-1 if (i := vocabulary.id(word)) is None else i for word in counts], np.int32)
        written = _exchange(Path(scratch), ids, folder / "train")
    vocabulary.save(folder / VOCABULARY)
    WordVocabulary.count(counts, 1).save(folder / COUNTS)
    tokens = sum(counts.values())
    return {
        "sentences": written,
        "tokens": tokens,
        "distinct_words": len(counts),
        "vocabulary_size": len(vocabulary),
        "out_of_vocabulary": 1 - int(vocabulary.counts.sum()) / tokens,
        "longest_word": max(map(len, vocabulary.words)),
    }


def _number(sentences: Iterable[list[str]], folder: Path) -> dict[str, int]:
    """Write the words' provisional numbers and the sentence offsets; return each word's count, ordered by number."""
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    totals, rest = np.zeros(0, np.int64), iter(sentences)
    with GrowingArray(folder / WORDS, np.int32) as words, GrowingArray(folder / OFFSETS, np.int64) as offsets:
        offsets.append(np.zeros(1, np.int64))
        while batch := list(islice(rest, BATCH)):
            ends = words.length + np.cumsum([len(sentence) for sentence in batch], dtype=np.int64)
            read = np.fromiter(map(numbers.__getitem__, chain.from_iterable(batch)), np.int32, ends[-1] - words.length)
            words.append(read)
            offsets.append(ends)
            totals = np.pad(totals, (0, len(numbers) - len(totals))) + np.bincount(read, minlength=len(numbers))
    return dict(zip(numbers, totals.tolist(), strict=True))


def _exchange(numbered: Path, ids: npt.NDArray[np.int32], folder: Path) -> int:
    """Replace provisional numbers with ids; return the number of sentences. Sentences of rare words only are dropped.

    Args:
        numbered: the folder that `_number` wrote.
        ids: the id for each number, -1 for a rare word.
        folder: to write into.
    """
    numbers, bounds = np.load(numbered / WORDS, mmap_mode="r"), np.load(numbered / OFFSETS, mmap_mode="r")
    with GrowingArray(folder / WORDS, np.int32) as words, GrowingArray(folder / OFFSETS, np.int64) as offsets:
        offsets.append(np.zeros(1, np.int64))
        for first in range(0, len(bounds) - 1, BATCH):
            batch = bounds[first : first + BATCH + 1]
            read = ids[numbers[batch[0] : batch[-1]]]
            known_before = np.concatenate([[0], np.cumsum(read >= 0)])[batch - batch[0]]
            offsets.append(words.length + known_before[1:][np.diff(known_before) > 0])
            words.append(read[read >= 0])
        return offsets.length - 1
