"""Prepares markets: from columns to the orders of each split and their optimal schedules."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.series.arrays import Columns, Values
from models.series.days import calendar, calendar_after
from models.series.execution import Impact, closed_form, urgency
from models.series.market import COLUMNS, RECIPE, MarketRecipe, day_numbers
from models.series.relative import deviation
from models.series.volumes import effects
from models.text.json_files import write_json
from pipelines.data.prepared import SPLITS
from pipelines.data.series.checks import CUTS, check_prices, require
from pipelines.data.series.source import Series
from pipelines.data.series.splits import divided
from pipelines.kinds.scheduling.settings import SchedulingTask
from pipelines.orders import EFFECTS, write_orders
from pipelines.stage import StageError
from pipelines.windows import Ids

SEED = 1  # of the drawn orders: part of the data, so independent of a run's seed
DECADES = 3  # range of the risk aversion, which is drawn log-uniformly
Array = NDArray[Any]
Orders = dict[str, Array]


def recipe_of(task: SchedulingTask) -> MarketRecipe:
    """The task's recipe for reading markets."""
    p = task.prepare
    return MarketRecipe(p.window, p.longest, Impact(**p.impact.model_dump()))


def write(task: SchedulingTask, series: Sequence[Series], folder: Path) -> dict[str, float]:
    """See `pipelines.kinds.parts.SeriesData`.

    An order belongs to the split that contains its last known day. Orders are dropped if the longest horizon would end in the
    next split (the purge), or if a day of the window or the horizon has no volume.
    """
    recipe = recipe_of(task)
    for one in series:
        _check(one, recipe)
    days = [_days(one, recipe) for one in series]
    first = np.cumsum([0, *map(len, series)])
    found: dict[str, list[Orders]] = {split: [] for split in SPLITS}
    dropped = {"purged": 0, "without_volume": 0}
    for start, one, of_days in zip(first[:-1], series, days, strict=True):
        for split, ends in _divided(one, task, dropped).items():
            orders = _train_orders(ends, task) if split == "train" else _held_out_orders(ends, task)
            found[split].append(_with_targets(orders, of_days, recipe, int(start)))
    splits = {
        split: {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} for split, parts in found.items()
    }
    places = {one.name: place for one, place in zip(series, pairwise(map(int, first)), strict=True)}
    write_orders(folder, recipe.window, places, {name: np.concatenate([of[name] for of in days]) for name in days[0]}, splits)
    np.save(folder / f"{EFFECTS}.npy", np.mean([_effects(one, task) for one in series], axis=0))
    write_json(folder / RECIPE, asdict(recipe))
    counts = {f"{split}_rows": float(len(columns["end"])) for split, columns in splits.items()}
    return {"series": len(series), "times": float(first[-1]), **dropped, **counts, **check_prices(series)}


def _check(series: Series, recipe: MarketRecipe) -> None:
    """Check that the series is a valid market, and that no input of a day depends on later days."""
    from pipelines.evaluation.walk_forward.leaks import assert_no_leak, assert_point_in_time  # scipy takes long to import

    columns = require(series, COLUMNS, positive=("high", "low", "close"))
    if (columns["volume"] < 0).any():
        raise StageError(f"the series {series.name!r}: a volume is below zero")
    prices = {name: values for name, values in columns.items() if name != "volume"}
    assert_no_leak(prices, np.log(_without_gaps(columns)["volume"]))
    latest = {name: values[-(recipe.window + CUTS[-1] + 1) :] for name, values in columns.items()}
    assert_point_in_time(lambda some: day_numbers(_without_gaps(some)), latest, [len(latest["close"]) - 1 - cut for cut in CUTS])


def _without_gaps(columns: Columns) -> Columns:
    """Replaces missing volumes with 1; days without volume are in no window."""
    return {**columns, "volume": np.where(columns["volume"] > 0, columns["volume"], 1.0)}


def _days(series: Series, recipe: MarketRecipe) -> dict[str, Array]:
    """The arrays that are stored for the days of one market."""
    dates = series.times.astype("datetime64[D]")
    numbers = day_numbers(_without_gaps(series.columns))
    sigma = np.full(len(series), np.nan)
    sigma[recipe.window - 1 :] = deviation(np.moveaxis(sliding_window_view(numbers, recipe.window, axis=0), -1, 1))
    return {
        "numbers": numbers.astype(np.float32),
        "calendar": calendar(dates).astype(np.int8),
        "ahead": np.stack([calendar_after(day, recipe.longest) for day in dates]).astype(np.int8),
        "deviation": sigma,
        "raw": np.stack([series.columns[name] for name in COLUMNS], axis=1),
        "times": series.times.astype("datetime64[s]").astype(np.int64),
    }


def _effects(series: Series, task: SchedulingTask) -> Values:
    """Calendar effects on volumes, fitted on the training days."""
    known = (series.times < np.datetime64(task.prepare.valid_from)) & (series.columns["volume"] > 0)
    return effects(calendar(series.times[known].astype("datetime64[D]")), series.columns["volume"][known])


def _divided(series: Series, task: SchedulingTask, dropped: dict[str, int]) -> Mapping[str, Ids]:
    """The last positions of the windows of each split; counts dropped windows."""
    window, longest = task.prepare.window, task.prepare.longest
    ends = np.arange(window - 1, len(series) - longest)
    if not len(ends):
        raise StageError(f"the series {series.name!r} has {len(series)} times; an order and its horizon need {window + longest}")
    found, purged = divided(series.times, ends, longest, task.prepare)
    gaps = np.cumsum(np.concatenate([[0], series.columns["volume"] <= 0]))
    whole = {name: some[gaps[some + longest + 1] == gaps[some + 1 - window]] for name, some in found.items()}
    dropped["purged"] += purged
    dropped["without_volume"] += sum(len(found[name]) - len(left) for name, left in whole.items())
    for name, left in whole.items():
        if not len(left):
            valid, test = (str(one).removesuffix(" 00:00:00") for one in (task.prepare.valid_from, task.prepare.test_from))
            raise StageError(f"{series.name!r}: the {name} split has no day; valid_from is {valid}, test_from {test}")
    return whole


def _train_orders(ends: Ids, task: SchedulingTask) -> Orders:
    """Random orders, `orders` per day."""
    p, rng = task.prepare, np.random.default_rng(SEED)
    places = np.repeat(ends, p.orders)
    count = len(places)
    return {
        "end": places,
        "horizon": rng.integers(1, p.longest, size=count, endpoint=True),
        "aversion": (p.most_aversion * 10 ** (-DECADES * rng.random(count))).astype(np.float32),
        "dated": rng.random(count) >= p.undated,
        "side": rng.choice([-1, 1], size=count),
    }


def _held_out_orders(ends: Ids, task: SchedulingTask) -> Orders:
    """A fixed grid of orders: each day has one of each horizon; risk aversions and sides alternate."""
    grid = task.prepare.held_out
    day, horizon = (part.ravel() for part in np.indices((len(ends), len(grid.horizons))))
    turns = day + horizon
    return {
        "end": ends[day],
        "horizon": np.array(grid.horizons)[horizon],
        "aversion": np.array(grid.aversions, np.float32)[turns % len(grid.aversions)],
        "dated": np.ones(len(day), bool),
        "side": np.where(day // len(grid.aversions) % 2, -1, 1),
    }


def _with_targets(orders: Orders, days: Mapping[str, Array], recipe: MarketRecipe, start: int) -> Orders:
    """Orders with their optimal schedules and the observed volume shares; positions count over all markets."""
    ends, horizons = orders["end"], orders["horizon"]
    urgencies = urgency(orders["aversion"].astype(np.float64), days["deviation"][ends], recipe.impact)
    volumes = days["raw"][:, COLUMNS.index("volume")]
    came = volumes[ends[:, None] + 1 + np.arange(recipe.longest)] * (np.arange(recipe.longest) < horizons[:, None])
    return orders | {
        "end": ends + start,
        "schedule": closed_form(urgencies, horizons, recipe.longest).astype(np.float32),
        "volumes": (came / came.sum(axis=1, keepdims=True)).astype(np.float32),
    }
