"""Example requests and typical inputs of a classifier, for its archive."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.kinds.classification.settings import CharactersTask, ClassificationTask
from pipelines.packaging.held_out import held_out
from pipelines.packaging.requests import request


def requests(task: ClassificationTask, _: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """See `pipelines.kinds.parts.Showing`."""
    if not isinstance(task, CharactersTask):
        yield "A text, with the importance of each word", request(task.examples[0], explain=True)
        yield "Several texts", request(task.examples)
    else:
        yield "A text", request(task.examples[0], top_k=3)
        yield "Several texts", request(task.examples, top_k=1)


def typical(prepared: Path) -> list[str]:
    """See `pipelines.kinds.parts.Showing`."""
    return held_out(prepared, "text")
