"""What a generator is trained on: texts and their labels."""

from collections.abc import Iterator
from pathlib import Path

from pipelines.data.prepared import text_rows
from pipelines.settings.tasks import Task


def training_rows(prepared: Path, _: Task) -> Iterator[tuple[str, str]]:
    """See `pipelines.kinds.parts.Lineage`."""
    return ((text, label) for text, label in text_rows(prepared, "train"))
