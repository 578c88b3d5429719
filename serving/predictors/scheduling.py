"""Order scheduling: the shares of an order and of the market's volume on each day, from the order and its market."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import TypeAdapter

from models.series.arrays import Columns, Values
from models.series.execution import Cost, closed_form, cost, urgency
from models.series.market import RECIPE, MarketRecipe, MarketWindow
from models.series.sessions import Days
from serving.bundle import GRAPH, Bundle, BundleError
from serving.predictors.arrays import FloatArray, IntArray
from serving.predictors.session import Session
from serving.predictors.watch import Watch


@dataclass(frozen=True)
class Asked:
    """An order and its market's history. Buy and sell orders have the same impact, so the side is not needed.

    Attributes:
        columns: models.series.market.COLUMNS, at least the recipe's `window` days; earlier days are ignored.
        dates: dates of the days; None if they are not known.
        horizon: T, in trading days.
        share: size of the order, as a share of the volume expected over the horizon.
        aversion: risk aversion, lambda.
    """

    columns: Columns
    dates: Days | None
    horizon: int
    share: float
    aversion: float


@dataclass(frozen=True)
class Schedules:
    """Schedules of N orders.

    Attributes:
        order: share of the order on each day, [N, A]; zero after the horizon, like the other shares.
        volume: expected share of the horizon's volume, [N, A].
        closed_form: share of the order in the schedule of Almgren and Chriss, [N, A].
        deviation: standard deviation of daily returns, sigma, [N].
        cost: simulated cost of `order`.
    """

    order: Values
    volume: Values
    closed_form: Values
    deviation: Values
    cost: Cost


class Scheduler:
    """The scheduler of a verified bundle.

    Args:
        folder: folder of the bundle.
        bundle: its manifest from `Bundle.load`, of kind "scheduling".
        threads: maximum number of cores that one call uses.

    Its graph: days [B, L, F + C], lengths [B], ahead [B, A, C], horizon [B], aversion [B] -> schedule [B, A], volumes [B, A].
    """

    def __init__(self, folder: Path, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle.of_kind("scheduling")
        if bundle.orders is None:
            raise BundleError(f"{folder}: `orders` is missing")
        self.limits = bundle.orders
        self.recipe = read_recipe(folder)
        self._model = Session(folder / GRAPH, threads=threads)

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Self:
        """Verify the bundle in `folder` and load it.

        Raises:
            BundleError: it is not a valid scheduling bundle.
        """
        return cls(folder, Bundle.load(folder), threads=threads)

    def schedule(self, asked: Sequence[Asked], *, watch: Watch | None = None) -> Schedules:
        """Schedule orders.

        Args:
            asked: orders within the bundle's limits.
            watch: stops the computation at its deadline.

        Raises:
            DeadlineError: the deadline passed.
        """
        windows = [MarketWindow.of(one.columns, one.dates, self.recipe) for one in asked]
        horizons, aversions = np.array([one.horizon for one in asked]), np.array([one.aversion for one in asked])
        days, ahead = np.stack([window.days for window in windows]), np.stack([window.ahead for window in windows])
        order, volume = self.run(days, ahead, horizons, aversions, watch=watch)
        deviation, impact = np.array([window.deviation for window in windows]), self.recipe.impact
        best = closed_form(urgency(aversions, deviation, impact), horizons, self.recipe.longest)
        amounts = np.array([one.share for one in asked]) * horizons
        return Schedules(order, volume, best, deviation, cost(order, amounts, deviation, impact))

    def run(
        self,
        days: FloatArray,
        ahead: FloatArray,
        horizons: IntArray,
        aversions: FloatArray,
        *,
        batch_size: int = 256,
        watch: Watch | None = None,
    ) -> tuple[Values, Values]:
        """Schedule from the graph's inputs: [N, L, F + C], [N, A, C], [N], [N] -> shares of order and volume, [N, A] each."""
        found = list[list[FloatArray]]()  # of batches
        for start in range(0, len(days), batch_size):
            rows = slice(start, start + batch_size)
            some = days[rows].astype(np.float32)
            found.append(
                self._model(
                    watch,
                    days=some,
                    lengths=np.full(len(some), some.shape[1], np.int64),
                    ahead=ahead[rows].astype(np.float32),
                    horizon=horizons[rows].astype(np.int64),
                    aversion=aversions[rows].astype(np.float32),
                )
            )
        order, volume = (np.concatenate(parts).astype(np.float64) for parts in zip(*found, strict=True))
        return order, volume


def read_recipe(folder: Path) -> MarketRecipe:
    """Load the recipe in a folder, which says how markets are read."""
    return TypeAdapter(MarketRecipe).validate_json((folder / RECIPE).read_bytes())
