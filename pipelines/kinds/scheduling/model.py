"""Builds the scheduler for training."""

from pathlib import Path

from models.scheduling.scheduler import Scheduler
from pipelines.kinds.scheduling.settings import SchedulingTask
from pipelines.orders import AHEAD, NUMBERS
from pipelines.windows import mapped


def build(task: SchedulingTask, prepared: Path) -> Scheduler:
    """See `pipelines.kinds.parts.Model`."""
    _, longest, calendar = mapped(prepared, AHEAD).shape
    return Scheduler(steps=mapped(prepared, NUMBERS).shape[1], calendar=calendar, longest=longest, **task.model.model_dump())
