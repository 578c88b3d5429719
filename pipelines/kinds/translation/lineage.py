"""What a translator is trained on: pairs of sentences, some of which were joined to one row."""

import random
from collections.abc import Iterator
from pathlib import Path

from models.text.normalize import normalize
from pipelines.data.prepared import text_rows
from pipelines.kinds.translation.settings import TranslationTask


def training_rows(prepared: Path, task: TranslationTask) -> Iterator[tuple[str, str]]:
    """See `pipelines.kinds.parts.Lineage`. Of a row that may have been joined, any beginning or end counts as a sentence.

    Which pairs were joined is drawn again as `pipelines.kinds.translation.data` has drawn it. (The last row of a batch may be
    drawn without being joined.)
    """
    draw = random.Random(0)  # noqa: S311 - not used for security
    for source, target in text_rows(prepared, "train"):
        yield source, target
        if draw.random() < task.prepare.joined:
            yield from ((part, "") for part in _parts(source))


def _parts(text: str) -> Iterator[str]:
    """A text's beginnings and ends: where it was joined, one of each is a sentence, and nothing tells which."""
    words = normalize(text).split(" ")
    for i in range(1, len(words)):
        yield " ".join(words[:i])
        yield " ".join(words[i:])
