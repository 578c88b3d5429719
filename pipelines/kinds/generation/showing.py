"""Example requests of a text generator, for its archive."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.kinds.generation.settings import ANY, GenerationTask
from pipelines.packaging.requests import request


def requests(task: GenerationTask, _: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """See `pipelines.kinds.parts.Showing`."""
    first = task.examples[0]
    label = {} if first.label == ANY else {"label": first.label}
    yield "Three texts of one label", request(first.text, **label, seed=7, num_return_sequences=3)
    yield "Texts of any label, from several prefixes", request([one.text for one in task.examples], seed=7, temperature=0.5)


def typical(_: Path) -> list[str]:
    """See `pipelines.kinds.parts.Showing`: beginnings do not resemble training texts."""
    return []
