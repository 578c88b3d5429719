"""Prepares labelled texts: from raw rows to splits."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
from anyascii import anyascii

from models.text.characters import CharacterTokenizer
from models.text.normalize import normalize, normalize_label
from models.text.special import BOS, EOS, SPECIAL_TOKENS
from models.text.subwords import SubwordTokenizer
from models.text.vectors import Vector, WordVectors
from models.text.word_tokenizer import WordTokenizer, is_token
from models.text.words import words_of
from pipelines.data.counts import UnitCounts
from pipelines.data.reading.source import Clean, Row, RowSource
from pipelines.data.splitting.table import Texts, key_of
from pipelines.data.writing import Divided, write_prepared
from pipelines.kinds.classification.settings import CharactersTask, ClassificationTask, WordsTask
from pipelines.paths import VECTORS
from pipelines.settings.section import NONE

COLUMNS = ("text", "label")
KEYS = ("text",)


def rows(_: ClassificationTask, source: RowSource, raw: Path) -> Iterator[Row]:
    """See `pipelines.kinds.parts.Data`."""
    return source.rows(raw)


def cleaner(task: ClassificationTask, _: Sequence[Row]) -> Clean:
    """See `pipelines.kinds.parts.Data`."""
    lowercase = not isinstance(task, WordsTask) and task.prepare.lowercase
    length = len if isinstance(task, CharactersTask) else _words

    def clean(row: Row, _: RowSource) -> Row | str:
        text, label = normalize(row.text, lowercase=lowercase), normalize_label(row.label)
        if not text or (isinstance(task, WordsTask) and not words_of(text)):
            return "empty"
        if not label:
            return "without_label"
        if length(text) > task.prepare.max_length and row.split in ("", "train"):
            return "too_long"
        return replace(row, text=text, label=label)

    return clean


def write(task: ClassificationTask, divided: Divided, folder: Path) -> dict[str, float]:
    """See `pipelines.kinds.parts.Data`."""
    ids = {label: i for i, label in enumerate(divided.labels)}
    counted = UnitCounts()
    tokenizer, vectors = _tokenizer(task, divided)
    marks = ([BOS], [EOS]) if isinstance(task, CharactersTask) else ([], [])

    def encode(texts: Texts) -> Mapping[str, list[int] | list[list[int]]]:
        encoded = [[*marks[0], *tokenizer.encode(text), *marks[1]] for text in texts["text"]]
        counted.add(encoded)
        return {
            "characters" if isinstance(task, CharactersTask) else "tokens": encoded,
            "label": [ids[label] for label in texts["label"]],
        }

    vary = _PlainCopies(divided) if isinstance(task, CharactersTask) and task.prepare.plain_copies else None
    counts = write_prepared(folder, divided, tokenizer, encode, vectors=vectors, vary=vary)
    return {**counts, **counted.statistics}


def _words(text: str) -> int:
    return len(text.split())


def _tokenizer(
    task: ClassificationTask, divided: Divided
) -> tuple[CharacterTokenizer | SubwordTokenizer | WordTokenizer, Vector | None]:
    """A tokenizer learned from the training texts, or one with the words of pretrained vectors and these vectors."""
    texts = divided.sample("text")
    if isinstance(task, CharactersTask):
        return CharacterTokenizer.train(_with_plain(task, texts), lowercase=task.prepare.lowercase, min_count=2), None
    if not isinstance(task, WordsTask):
        return SubwordTokenizer.train(texts, size=task.prepare.vocabulary_size, lowercase=task.prepare.lowercase), None
    if task.data.vectors == NONE:
        counts = Counter(word for text in texts for word in words_of(text))
        return WordTokenizer([word for word, n in counts.most_common(task.prepare.vocabulary_size) if n > 1]), None
    known = WordVectors.load(VECTORS / task.data.vectors)
    usable = (i for i, word in enumerate(known.vocabulary.words) if is_token(word))
    chosen = list(islice(usable, task.prepare.vocabulary_size))
    vectors = np.pad(known.matrix[chosen], ((len(SPECIAL_TOKENS), 0), (0, 0)))
    return WordTokenizer([known.vocabulary.words[i] for i in chosen]), vectors


def _with_plain(task: CharactersTask, texts: Iterator[str]) -> Iterator[str]:
    """Texts, with their copies without accents if training uses these."""
    if not task.prepare.plain_copies:
        return texts
    return chain.from_iterable({text, anyascii(text)} for text in texts)


class _PlainCopies:
    """Adds copies of training texts without accents, as many people type them: "Kaminski" besides "Kamiński".

    Copies are left out if a held-out split has the same text, or training has it with the same label.
    """

    def __init__(self, divided: Divided) -> None:
        held_out = (batch for split in divided.places if split != "train" for batch in divided.batches(split))
        self._held_out = {key_of(text) for batch in held_out for text in batch["text"]}
        rows = (row for batch in divided.batches("train") for row in zip(batch["text"], batch["label"], strict=True))
        self._known = np.sort(np.fromiter(map(hash, rows), np.int64))

    def __call__(self, texts: Texts) -> Texts:
        found = {(anyascii(text), label): None for text, label in zip(texts["text"], texts["label"], strict=True)}
        hashes = np.fromiter(map(hash, found), np.int64, len(found))
        known = self._known[np.searchsorted(self._known, hashes).clip(max=len(self._known) - 1)] == hashes
        kept = [row for row, is_known in zip(found, known, strict=True) if not is_known and key_of(row[0]) not in self._held_out]
        return {column: [*texts[column], *(row[i] for row in kept)] for i, column in enumerate(COLUMNS)}
