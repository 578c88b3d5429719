"""Prepares series: from columns to the windows of each split."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.series.recipe import RECIPE, Recipe
from models.text.json_files import write_json
from pipelines.data.prepared import SPLITS
from pipelines.data.series.checks import check_prices, checked_columns, search_for_leaks
from pipelines.data.series.source import Series
from pipelines.data.series.splits import divided
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.stage import StageError
from pipelines.windows import Ids, write_windows


def recipe_of(task: ForecastingTask) -> Recipe:
    """The task's recipe for reading series."""
    p = task.prepare
    return Recipe(
        quantity=p.quantity,
        target=p.target,
        inputs=tuple(p.inputs),
        window=p.window,
        averages=tuple(p.averages),
        season=p.season,
        horizons=tuple(p.horizons),
        aggregate=p.aggregate,
        level=p.level,
        history=p.history,
    )


def write(task: ForecastingTask, series: Sequence[Series], folder: Path) -> dict[str, float]:
    """See `pipelines.kinds.parts.SeriesData`.

    A window belongs to the split that contains its last time step; windows whose target reaches into the next split are
    dropped (the purge). A window may read inputs from the split before, which are already known.
    """
    recipe = recipe_of(task)
    parts = [_read(recipe, one) for one in series]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    places = np.cumsum([0, *map(len, series)])
    splits: dict[str, list[Ids]] = {split: [] for split in SPLITS}
    purged = 0
    for first, one in zip(places[:-1], series, strict=True):
        found, dropped = _divided(one, recipe, task)
        purged += dropped
        for split, ends in found.items():
            splits[split].append(first + ends)
    whole = {split: np.concatenate(ends) for split, ends in splits.items()}
    whole["train"] = whole["train"][:: task.prepare.stride]
    _check(whole, task)
    _check_events(arrays["targets"][whole["train"]], task)
    where = {one.name: (int(places[i]), int(places[i + 1])) for i, one in enumerate(series)}
    write_windows(folder, recipe.window, where, arrays, whole)
    write_json(folder / RECIPE, asdict(recipe))
    counts = {f"{split}_rows": float(len(ends)) for split, ends in whole.items()}
    return {"series": len(series), "times": float(places[-1]), "purged": purged, **counts, **_counted(recipe, series)}


def _read(recipe: Recipe, series: Series) -> dict[str, NDArray[Any]]:
    """The arrays that are stored for one series.

    Raises:
        StageError: a column does not meet the recipe's requirements or leaks later values; there are too few time steps.
    """
    columns, least = checked_columns(series, recipe), recipe.needed + max(recipe.horizons)
    if len(series) < least:
        raise StageError(f"the series {series.name!r} has {len(series)} times; a forecast and its target need {least}")
    search_for_leaks(recipe, columns)
    features, values = recipe.features(columns), recipe.values(columns)
    return {
        "steps": features.steps.astype(np.float32),
        "linear": features.linear.astype(np.float32),
        "targets": recipe.targets(columns, features.threshold).astype(np.float32),
        "threshold": features.threshold,
        "values": values,
        "raw": np.stack([columns[name] for name in recipe.columns], axis=1),
        "times": series.times.astype("datetime64[s]").astype(np.int64),
    }


def _divided(series: Series, recipe: Recipe, task: ForecastingTask) -> tuple[Mapping[str, Ids], int]:
    """The last positions of the windows of each split, and the number of purged windows."""
    longest = max(recipe.horizons)
    ends = np.arange(recipe.needed - 1, len(series) - longest)
    return divided(series.times, ends, longest, task.prepare)


def _check(splits: Mapping[str, Ids], task: ForecastingTask) -> None:
    for split, ends in splits.items():
        if not len(ends):
            valid, test = (str(one).removesuffix(" 00:00:00") for one in (task.prepare.valid_from, task.prepare.test_from))
            raise StageError(f"the {split} split has no window; valid_from is {valid}, test_from is {test}: change these")


def _check_events(came: NDArray[np.float32], task: ForecastingTask) -> None:
    if task.prepare.level and len(np.unique(came)) < 2:
        often = "always" if came.any() else "never"
        raise StageError(
            f"the event {often} occurs after the training windows; change prepare.level, which is {task.prepare.level}"
        )


def _counted(recipe: Recipe, series: Sequence[Series]) -> dict[str, float]:
    """Statistics of prices that readers should know."""
    return check_prices(series) if not recipe.target else {}
