"""The rows of a split of a forecasting task, with the series that they come from."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.series.arrays import Times, Values
from pipelines.stage import StageError
from pipelines.windows import DAYS, Ids, Windows, mapped, read_places
from serving.predictors.forecasting import Forecaster

SAMPLE = 40  # windows that are forecast as for a client
SAME = 1e-4  # largest difference of such a forecast, relative to it or to the quantity's standard deviation


@dataclass(frozen=True)
class Part:
    """One series.

    Attributes:
        name: of the series.
        rows: the indices of its rows in the split, [N].
        places: the positions of these rows in the series, [N].
        times: of the whole series, [T].
        values: the quantity at these times, [T].
    """

    name: str
    rows: Ids
    places: Ids
    times: Times
    values: Values


@dataclass(frozen=True)
class SplitRows:
    """One split.

    Attributes:
        days: inputs of the network, [N, L, F].
        linear: inputs of the linear part, [N, K].
        targets: [N, H].
        times: when forecasts are made, [N].
        parts: the series that have rows in the split.
    """

    days: NDArray[np.float32]
    linear: NDArray[np.float32]
    targets: Values
    times: Times
    parts: list[Part]

    @classmethod
    def read(cls, prepared: Path, split: str) -> Self:
        """All rows of a split."""
        return cls.of(Windows(prepared, split), prepared)

    @classmethod
    def of(cls, rows: Windows, prepared: Path) -> Self:
        """All rows of the given windows."""
        found = [rows.row(i) for i in range(len(rows))]
        ends = np.asarray(rows.ends)
        times = np.load(prepared / "times.npy").astype("datetime64[s]")
        return cls(
            days=np.stack([row[DAYS] for row in found]),
            linear=np.stack([row["linear"] for row in found]),
            targets=np.stack([row["target"] for row in found]).astype(np.float64),
            times=times[ends],
            parts=list(_parts(prepared, ends, times)),
        )


def _parts(prepared: Path, ends: Ids, times: Times) -> Iterator[Part]:
    values = np.load(prepared / "values.npy")
    for name, (first, behind) in read_places(prepared).items():
        rows = np.flatnonzero((ends >= first) & (ends < behind))
        if len(rows):
            yield Part(name, rows, ends[rows] - first, times[first:behind], values[first:behind])


def assert_served_alike(forecaster: Forecaster, prepared: Path, forecasts: NDArray[Any], seed: int) -> None:
    """Check that a client that sends the raw columns gets the evaluated forecasts.

    Args:
        forecaster: as it is served.
        prepared: the prepare stage's output.
        forecasts: of the test rows, [N, H, Q].
        seed: of the choice of compared rows.

    Raises:
        StageError: a forecast differs.
    """
    raw, rows = mapped(prepared, "raw"), Windows(prepared, "test")
    chosen = np.random.default_rng(seed).permutation(len(rows))[:SAMPLE]
    needed, names = forecaster.recipe.needed, forecaster.recipe.columns
    parts = (np.asarray(raw[end + 1 - needed : end + 1], np.float64) for end in rows.ends[chosen])
    asked = [{name: part[:, i] for i, name in enumerate(names)} for part in parts]
    served, size = forecaster.forecast(asked).values, np.abs(forecasts[chosen])
    if not forecaster.recipe.positive:  # forecasts may be near zero
        size = np.array(forecaster.about.deviation)[:, None]
    difference = (np.abs(served - forecasts[chosen]) / size).max()
    if not difference <= SAME:
        raise StageError(f"served forecasts differ from the evaluated ones by {difference:.1e}, relative to their size")
