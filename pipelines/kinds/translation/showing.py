"""Example requests and typical inputs of a translator, for its archive."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.kinds.translation.settings import TranslationTask
from pipelines.packaging.held_out import held_out
from pipelines.packaging.requests import request


def requests(task: TranslationTask, _: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """See `pipelines.kinds.parts.Showing`."""
    yield "A sentence", request(task.examples[0])
    yield "Several sentences, and other translations of each", request(task.examples, num_return_sequences=2)
    yield "A paragraph, and its sentences", request(" ".join(task.examples[:2]), sentences=True)
    yield "A sentence, with its attention", request(task.examples[-1], attention=True, num_beams=1)


def typical(prepared: Path) -> list[str]:
    """See `pipelines.kinds.parts.Showing`."""
    return held_out(prepared, "source")
