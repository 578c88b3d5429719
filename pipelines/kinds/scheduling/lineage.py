"""What a scheduler is trained on: the days of its windows, and those over which the orders are executed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipelines.data.series.times import times_used
from pipelines.kinds.scheduling.settings import SchedulingTask
from pipelines.orders import ABOUT, ENDS


def training_rows(prepared: Path, _: SchedulingTask) -> Iterator[tuple[str, str]]:
    """See `pipelines.kinds.parts.Lineage`: each day, and the name of its market."""
    ends, horizons = (np.load(prepared / "train" / f"{name}.npy").tolist() for name in (ENDS, "horizon"))
    return times_used(prepared, ABOUT, zip(ends, horizons, strict=True))
