"""A corpus as one long array of word ids, written as it is read: its size is no matter to memory."""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain, islice
from pathlib import Path

import numpy as np

from models.text.vectors import VOCABULARY
from models.text.words import WordVocabulary
from pipelines.settings.corpora import WordsPrepare
from pipelines.stage import StageError
from pipelines.store import GrowingArray

Sentences = Iterable[list[str]]

COUNTS = "counts.json"
BATCH = 10_000  # sentences written at once


def prepare_words(read: Callable[[], Sentences], params: WordsPrepare, folder: Path) -> dict[str, float]:
    """Count the words, then write the ids of the known ones, sentence by sentence.

    Writes vocabulary.json, and train/words.npy with train/words.offsets.npy as `pipelines.store.Split` reads them. A rare word is
    left out of its sentence, as word2vec does: its neighbours become neighbours of each other. counts.json says how often each
    word occurs, rare or not.

    Args:
        read: begins to read the corpus, twice.
        params: see params.yaml.
        folder: made if needed.

    Returns:
        statistics.

    Raises:
        StageError: no two words occur often enough.
    """
    counter: Counter[str] = Counter()
    for sentence in _limited(read(), params.limit):
        counter.update(sentence)
    vocabulary = WordVocabulary.count(counter, params.min_count)
    if len(vocabulary) < 2:
        raise StageError(f"{len(vocabulary)} words occur {params.min_count} times or more; lower min_count, or take more text")
    (folder / "train").mkdir(parents=True, exist_ok=True)
    vocabulary.save(folder / VOCABULARY)
    WordVocabulary.count(counter, 1).save(folder / COUNTS)
    written = _write(_limited(read(), params.limit), vocabulary, folder / "train")
    tokens = counter.total()
    return {
        "sentences": written,
        "tokens": tokens,
        "distinct_words": len(counter),
        "vocabulary_size": len(vocabulary),
        "out_of_vocabulary": 1 - int(vocabulary.counts.sum()) / tokens,
        "longest_word": max(map(len, vocabulary.words)),
    }


def _limited(sentences: Sentences, limit: int) -> Sentences:
    return islice(sentences, limit or None)


def _write(sentences: Sentences, vocabulary: WordVocabulary, folder: Path) -> int:
    """Write the ids and where sentences begin; return the number of sentences. One of rare words alone is none."""
    known = ([i for i in map(vocabulary.id, sentence) if i is not None] for sentence in sentences)
    rows = filter(None, known)
    with GrowingArray(folder / "words.npy", np.int32) as ids, GrowingArray(folder / "words.offsets.npy", np.int64) as offsets:
        offsets.append(np.zeros(1, np.int64))
        while batch := list(islice(rows, BATCH)):
            ends = ids.length + np.cumsum([len(row) for row in batch], dtype=np.int64)
            ids.append(np.fromiter(chain.from_iterable(batch), np.int32, ends[-1] - ids.length))
            offsets.append(ends)
        return offsets.length - 1
