"""Example requests, and typical inputs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.data.prepared import read_texts
from pipelines.packaging.requests import request
from pipelines.settings.tasks import Task


def requests(task: Task, _: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "Several texts", request(task.examples, digits=1)


def typical(prepared: Path) -> list[str]:
    return read_texts(prepared, "train")["text"]
