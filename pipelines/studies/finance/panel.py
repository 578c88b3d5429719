"""All days of a task's series with complete windows and targets, and their walk-forward refits."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.series.arrays import Times, Values
from pipelines.evaluation.walk_forward.folds import folds
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.windows import Ids, mapped, read_places
from serving.predictors.forecasting import read_recipe


@dataclass(frozen=True)
class Refit:
    """One fit: indices of the last days of its windows.

    Attributes:
        train: windows to fit on.
        valid: windows to choose the best epoch by, later than `train`.
        test: windows to forecast from, later than `valid`.
    """

    train: Ids
    valid: Ids
    test: Ids


@dataclass(frozen=True)
class Panel:
    """The series of a task.

    Attributes:
        ends: indices of the days in the prepared arrays, [N].
        times: times of these days, [N].
        known: times at which their targets are complete, [N].
        targets: targets, [N, H].
    """

    ends: Ids
    times: Times
    known: Times
    targets: Values

    @classmethod
    def read(cls, task: ForecastingTask, prepared: Path) -> "Panel":
        """Read all days with a complete window and a complete target."""
        longest, needed = max(task.prepare.horizons), read_recipe(prepared).needed
        times = np.load(prepared / "times.npy").astype("datetime64[s]")
        bounds = read_places(prepared).values()
        ends = np.concatenate([np.arange(first + needed - 1, behind - longest) for first, behind in bounds])
        targets = np.asarray(mapped(prepared, "targets")[ends], np.float64)
        return cls(ends, times[ends], times[ends + longest], targets)

    def refits(self, task: ForecastingTask, every: int, valid_days: int) -> Iterator[Refit]:
        """The refits from the task's first test day on, for all series together.

        Args:
            task: its block.
            every: number of test days of a refit.
            valid_days: number of validation days before them.
        """
        days = np.unique(self.times)
        horizon = max(task.prepare.horizons)
        closed = np.append(days, days[-1] + np.timedelta64(1, "D"))  # the target of the last day is complete, too
        for fold in folds(closed, first=task.prepare.test_from, every=every, horizon=1):
            begin, end = days[fold.test.start], days[fold.test.stop - 1]
            chosen = days[max(fold.test.start - valid_days - horizon, 0)]
            train = self.ends[self.known < chosen]
            valid = self.ends[(self.times >= chosen) & (self.known < begin)]
            yield Refit(train[:: task.prepare.stride], valid, self.ends[(self.times >= begin) & (self.times <= end)])
