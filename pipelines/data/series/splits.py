"""Chronological splits of a series, with a purge between them."""

from datetime import datetime

import numpy as np

from models.series.arrays import Times
from pipelines.data.prepared import SPLITS
from pipelines.settings.tasks import SeriesPrepare
from pipelines.windows import Ids


def divided(times: Times, ends: Ids, longest: int, rules: SeriesPrepare) -> tuple[dict[str, Ids], int]:
    """Assign windows to the splits that contain their last input step.

    Windows whose target reaches into the next split are dropped (the purge).

    Args:
        times: of the series, ascending, [T].
        ends: the last positions of the windows, [N].
        longest: maximum number of steps that a target spans.
        rules: where the splits begin.

    Returns:
        the ends of each split, and the number of purged windows.
    """
    bounds = [_second(rules.valid_from), _second(rules.test_from)]
    split = np.searchsorted(bounds, times[ends].astype(np.int64), side="right")
    kept = split == np.searchsorted(bounds, times[ends + longest].astype(np.int64), side="right")
    return {name: ends[kept & (split == i)] for i, name in enumerate(SPLITS)}, int((~kept).sum())


def _second(moment: datetime) -> int:
    return int(np.datetime64(moment, "s").astype(np.int64))
