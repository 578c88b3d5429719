"""What a forecaster is trained on: the times of its windows and of their targets."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipelines.data.series.times import times_used
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.windows import ABOUT


def training_rows(prepared: Path, task: ForecastingTask) -> Iterator[tuple[str, str]]:
    """See `pipelines.kinds.parts.Lineage`: each time, and the name of its series."""
    longest = max(task.prepare.horizons)
    return times_used(prepared, ABOUT, ((end, longest) for end in np.load(prepared / "train.npy").tolist()))
