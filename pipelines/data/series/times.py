"""The times of training data."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np


def times_used(prepared: Path, about: str, ends: Iterable[tuple[int, int]]) -> Iterator[tuple[str, str]]:
    """The times that are in a window or in its target, and the name of their series.

    Args:
        prepared: folder of the prepared data.
        about: name of its file with the windows' length and the series' places.
        ends: index of each window's last time step, and the number of later ones in its target.

    Returns:
        times in UTC, as in 2020-03-16 or 2020-03-16 14:30:00.
    """
    times = np.load(prepared / "times.npy")
    used = np.zeros(len(times), bool)
    described = json.loads((prepared / about).read_text(encoding="utf-8"))
    for end, ahead in ends:
        used[end + 1 - described["length"] : end + 1 + ahead] = True
    for name, (first, behind) in described["places"].items():
        for seconds in times[first:behind][used[first:behind]].tolist():
            yield str(datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)).removesuffix(" 00:00:00"), name
