"""What a model of this kind is trained on: texts."""

from collections.abc import Iterator
from pathlib import Path

from pipelines.data.prepared import text_rows
from pipelines.settings.tasks import Task


def training_rows(prepared: Path, _: Task) -> Iterator[tuple[str, str]]:
    return ((text, "") for (text,) in text_rows(prepared, "train"))
