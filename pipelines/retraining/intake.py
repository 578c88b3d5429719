"""Takes in what a training begins with: feedback, or files that have changed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from pipelines.kinds.classification.settings import ClassificationTask
from pipelines.lineage.answers import Answers
from pipelines.new.blocks import write_both
from pipelines.new.changing import changed, take_in
from pipelines.new.feedback import feedback_file, waiting_file
from pipelines.paths import PREPARED
from pipelines.promotion.journal import events
from pipelines.retraining.data_set import combined, has_times
from pipelines.retraining.merging import Merged, merge, rare_labels
from pipelines.retraining.names import EVENT, OUTCOMES
from pipelines.retraining.rows import COLUMNS, Row, as_csv, read, rows_of
from pipelines.settings.params import Params
from pipelines.settings.tasks import Task
from pipelines.stage import StageError

console = Console(highlight=False, soft_wrap=True, emoji=False)


@dataclass(frozen=True)
class NewData:
    """What a training begins with.

    Attributes:
        changes: to params.yaml, KEY -> value.
        rows: number of new rows of feedback, or of changed files.
        until: time of the latest feedback that has been merged, in seconds since 1970.
    """

    changes: dict[str, str]
    rows: int
    until: float


def new_data(task: str, params: Params, instance: Path) -> NewData:
    """Take in feedback, or files of the task's own that have changed.

    Raises:
        StageError: there is nothing new, or the file of feedback cannot be read.
    """
    block, failed, since = params.task(task), unfinished(task), _since(task, instance)
    found, latest = Merged([], [], 0), since
    if block.kind in COLUMNS:
        found, latest = _feedback(task, block, instance, since)
    if found.new >= params.retraining.rows or (failed and feedback_file(task).exists()):
        _write(task, block.kind, found)
        return NewData(combined(task, params), found.new, latest)
    if any(changed(block.data.set)):
        return NewData({}, len(take_in(task)), since)
    if failed:
        return NewData({}, 0, since)
    if block.kind not in COLUMNS:
        raise StageError(f"{task} has nothing new to learn: its files have not changed, and {block.kind} learns from no feedback")
    raise StageError(
        f"{task} has nothing new to learn: {found.new} new rows of feedback with inputs (retraining.rows is "
        f"{params.retraining.rows}; a server keeps inputs with --keep-inputs), and its files have not changed"
    )


def unfinished(task: str) -> datetime | None:
    """When the latest round began that has not ended, or the first of several in a row; None if all have ended."""
    began = None
    for entry in events(task):
        if entry["event"] in OUTCOMES:
            began = None
        elif entry["event"] == EVENT and began is None:
            began = datetime.fromisoformat(entry["time"])
    return began


def _since(task: str, instance: Path) -> float:
    """The time up to which feedback of a server is in the file. Rows that a person has deleted there since stay deleted."""
    if not feedback_file(task).exists():
        return 0.0
    own = (entry for entry in events(task, EVENT) if entry.get("instance") == str(instance))
    return max((entry["until"] for entry in own), default=0.0)


def _feedback(task: str, block: Task, instance: Path, since: float) -> tuple[Merged, float]:
    """Old and new rows of feedback, and the time of the latest."""
    judged = [(answer, said) for answer, said in Answers(instance).judged(task) if said.at > since]
    old, waiting = (read(path, block.kind) for path in (feedback_file(task), waiting_file(task)))
    found = merge(block.kind, old, waiting, rows_of(block.kind, judged), partial(_rare, task, block))
    if found.waiting:
        labels = ", ".join(sorted({repr(row["label"]) for row in found.waiting}))
        console.print(f"{task}: feedback waits until there is more with the same label: {labels}", markup=False)
    return found, max((said.at for _, said in judged), default=since)


def _rare(task: str, block: Task, rows: Collection[Row]) -> set[str]:
    """The right answers that have too few rows; translations need no more than one."""
    if not isinstance(block, ClassificationTask):
        return set()
    return rare_labels(block, rows, PREPARED / task, by_time=has_times(block.data.set))


def _write(task: str, kind: str, found: Merged) -> None:
    file, waiting = feedback_file(task), waiting_file(task)
    file.parent.mkdir(parents=True, exist_ok=True)
    texts = {file: as_csv(found.rows, kind)}
    if found.waiting or waiting.exists():
        texts[waiting] = as_csv(found.waiting, kind)
    write_both(texts)
