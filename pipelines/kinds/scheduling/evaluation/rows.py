"""Held-out orders, with the model's inputs, the following days and the days before."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.series.arrays import Times, Values
from models.series.market import COLUMNS
from models.series.relative import STEPS
from pipelines.orders import AHEAD, DAYS, ENDS, Orders
from pipelines.stage import StageError
from pipelines.windows import Ids, mapped
from serving.predictors.scheduling import Asked, Scheduler

SAMPLE = 40  # orders that are scheduled as for a client
SAME = 1e-4  # largest difference of such a share


@dataclass(frozen=True)
class OrderRows:
    """One split.

    Attributes:
        days: the network's inputs from the past, [N, L, F + C].
        ahead: the calendar of the following days, [N, A, C].
        horizons: T, [N].
        aversions: lambda, [N].
        sides: 1 for buy orders, -1 for sell orders, [N].
        schedules: the closed form's shares, [N, A].
        volumes: the observed volume shares, [N, A].
        ends: the last known day of each order, as a position in the days of all markets, [N].
        deviations: sigma, [N].
        times: of the last known days, [N].
        raw: the columns models.series.market.COLUMNS of all days, [T, 4].
        known: the times of all days, [T].
    """

    days: NDArray[np.float32]
    ahead: NDArray[np.float32]
    horizons: Ids
    aversions: Values
    sides: Values
    schedules: Values
    volumes: Values
    ends: Ids
    deviations: Values
    times: Times
    raw: Values
    known: Times

    @classmethod
    def read(cls, prepared: Path, split: str) -> Self:
        """All orders of a split."""
        rows = Orders(prepared, split)
        found, ends = [rows.row(i) for i in range(len(rows))], rows.columns[ENDS]
        known = np.load(prepared / "times.npy").astype("datetime64[s]")
        return cls(
            days=np.stack([row[DAYS] for row in found]),
            ahead=np.stack([row[AHEAD] for row in found]),
            horizons=rows.columns["horizon"],
            aversions=rows.columns["aversion"].astype(np.float64),
            sides=rows.columns["side"].astype(np.float64),
            schedules=rows.columns["schedule"].astype(np.float64),
            volumes=rows.columns["volumes"].astype(np.float64),
            ends=ends,
            deviations=np.load(prepared / "deviation.npy")[ends],
            times=known[ends],
            raw=np.asarray(mapped(prepared, "raw"), np.float64),
            known=known,
        )

    @property
    def within(self) -> NDArray[np.bool_]:
        """Mask of the days within an order's horizon, [N, A]."""
        return np.arange(self.schedules.shape[1]) < self.horizons[:, None]

    @property
    def even(self) -> Values:
        """The same share on each day of the horizon (TWAP), [N, A]."""
        return self.within / self.horizons[:, None]

    def without_dates(self) -> Self:
        """The same orders without dates."""
        return replace(self, days=self.days * (np.arange(self.days.shape[2]) < STEPS), ahead=np.zeros_like(self.ahead))

    def coming(self, column: str) -> Values:
        """A column on the days after each order's last known one, [N, A]; meaningless after the horizon."""
        places = self.ends[:, None] + 1 + np.arange(self.schedules.shape[1])
        found: Values = self.raw[places, COLUMNS.index(column)]
        return found

    def before(self, column: str, count: int) -> Values:
        """A column on the last known days, oldest first, [N, count]."""
        found: Values = self.raw[self.ends[:, None] + 1 - count + np.arange(count), COLUMNS.index(column)]
        return found


def assert_served_alike(scheduler: Scheduler, rows: OrderRows, schedules: NDArray[Any], volumes: NDArray[Any], seed: int) -> None:
    """Check that a client that sends the raw columns gets the evaluated shares.

    Args:
        scheduler: as it is served.
        rows: the orders.
        schedules: their shares, [N, A].
        volumes: the volume shares, [N, A].
        seed: of the choice of compared rows.

    Raises:
        StageError: a share differs.
    """
    chosen, window = np.random.default_rng(seed).permutation(len(rows.ends))[:SAMPLE], scheduler.recipe.window
    asked = []
    for row in chosen:
        days = slice(rows.ends[row] + 1 - window, rows.ends[row] + 1)
        columns = {name: rows.raw[days, i] for i, name in enumerate(COLUMNS)}
        dates = rows.known[days].astype("datetime64[D]")
        asked.append(Asked(columns, dates, int(rows.horizons[row]), scheduler.limits.most_share, float(rows.aversions[row])))
    served = scheduler.schedule(asked)
    difference = max(np.abs(served.order - schedules[chosen]).max(), np.abs(served.volume - volumes[chosen]).max())
    if not difference <= SAME:
        raise StageError(f"served shares differ from the evaluated ones by {difference:.6f}")
