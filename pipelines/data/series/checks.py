"""Checks of series, and statistics that reveal problems in market data."""

from collections.abc import Sequence

import numpy as np

from models.series.arrays import Columns, Values
from models.series.recipe import Recipe
from pipelines.data.series.source import Series
from pipelines.settings.errors import closest
from pipelines.stage import StageError

CUTS = (1, 7, 30)  # steps before the end at which a series is cut to see whether its features change
SEARCHED = 20_000  # number of last steps searched for leaks: a leak found there is everywhere
LONG_GAP = np.timedelta64(5, "D")  # longer than a weekend with holidays on both sides


def checked_columns(series: Series, recipe: Recipe) -> Columns:
    """The columns that a recipe reads.

    Raises:
        StageError: one is missing, is not positive although it has to be, or a low is above a high.
    """
    positive = (recipe.target,) if recipe.target else recipe.columns
    return require(series, recipe.columns, positive if recipe.positive else ())


def require(series: Series, names: Sequence[str], positive: Sequence[str]) -> Columns:
    """The columns with these names.

    Args:
        series: to read from.
        names: column names.
        positive: the names of columns that have to be positive.

    Raises:
        StageError: one is missing, is not positive although it has to be, or a low is above a high.
    """
    for name in names:
        if name not in series.columns:
            raise StageError(f"the series {series.name!r} has no column {name!r}{closest(name, series.columns)}")
    columns = {name: series.columns[name] for name in names}
    for name in sorted(positive):
        if (columns[name] <= 0).any():
            _refuse(series, columns[name] <= 0, f"{name} is not above zero")
    if "high" in columns and (columns["high"] < columns["low"]).any():
        _refuse(series, columns["high"] < columns["low"], "low is above high")
    return columns


def search_for_leaks(recipe: Recipe, columns: Columns) -> None:
    """Check that no feature of a time step depends on a later one.

    Raises:
        StageError: a feature changes when later steps are cut off, or a column explains the target's innovations.
    """
    from pipelines.evaluation.walk_forward.leaks import assert_no_leak, assert_point_in_time  # scipy takes long to import

    def compute(some: Columns) -> Values:
        features = recipe.features(some)
        return np.concatenate([features.steps, features.linear], axis=1)

    latest = {name: values[-(recipe.needed + CUTS[-1] + 1) :] for name, values in columns.items()}
    behind = len(next(iter(latest.values())))
    assert_point_in_time(compute, latest, [behind - 1 - back for back in CUTS if back < behind])
    lately = {name: values[-SEARCHED:] for name, values in columns.items()}
    target = np.log(recipe.values(lately)) if recipe.positive else recipe.values(lately)
    others = {name: values for name, values in lately.items() if name != recipe.target}
    assert_no_leak(others, target, _lags(recipe, len(target)))


def _lags(recipe: Recipe, times: int) -> int:
    """The number of lags treated as known: more than a season, or calendar columns would look like leaks.

    A short series has room for fewer.
    """
    from pipelines.evaluation.walk_forward.leaks import DAYS_PER_LAG, LAGS

    return max(min(max(LAGS, recipe.season + 1), times // (DAYS_PER_LAG + 2)), 1)


def _refuse(series: Series, wrong: "np.ndarray[tuple[int], np.dtype[np.bool_]]", fault: str) -> None:
    first = series.times[int(np.argmax(wrong))]
    raise StageError(f"the series {series.name!r}: {fault} at {int(wrong.sum())} times, the first of them {first}")


def check_prices(series: Sequence[Series]) -> dict[str, float]:
    """Statistics of misleading prices: unchanged and missing days.

    Returns:
        share of days with the previous day's price, the largest such share of one series, and the number of long gaps.
    """
    unchanged = [float((np.diff(one.columns["close"]) == 0).mean()) for one in series]
    gaps = sum(int((np.diff(one.times) > LONG_GAP).sum()) for one in series)
    return {"unchanged_prices": float(np.mean(unchanged)), "unchanged_prices_most": max(unchanged), "long_gaps": gaps}
