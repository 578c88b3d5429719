"""Steps before and after training of the scheduler."""

from pathlib import Path

import numpy as np
import torch

from models.scheduling.scheduler import Scheduler
from pipelines.kinds.scheduling.settings import SchedulingTask
from pipelines.orders import EFFECTS, Orders
from pipelines.store import Rows

SAMPLE = 500  # orders whose days are used for normalization


def begin(model: Scheduler, _: SchedulingTask, prepared: Path, train: Rows) -> None:
    """See `pipelines.kinds.parts.Training`: normalization and calendar effects on volumes."""
    if not isinstance(train, Orders):
        raise TypeError("a scheduler is trained on orders")
    some = np.linspace(0, len(train) - 1, SAMPLE).astype(int)
    model.normalize_by(torch.from_numpy(np.concatenate([train.numbers(i) for i in some])))
    model.begin_with(torch.from_numpy(np.load(prepared / f"{EFFECTS}.npy")).float())


def finish(model: Scheduler, _: SchedulingTask, __: Rows) -> None:
    """See `pipelines.kinds.parts.Training`: nothing to do."""
