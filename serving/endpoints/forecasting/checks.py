"""Checks of the series in a request to a forecaster."""

from typing import cast

from models.series.recipe import Recipe
from serving.contract.faults import shown, unknown
from serving.endpoints.forecasting.contract import DATES, Series
from serving.endpoints.series import PRICES, Fault, wrong_constant, wrong_dates, wrong_length, wrong_numbers, wrong_prices


def check_series(series: Series, recipe: Recipe, longest: int) -> Fault | None:
    """Check a series; returns None if it is valid.

    Args:
        series: columns by name.
        recipe: how the model reads the series.
        longest: maximum number of times.
    """
    return (
        _wrong_columns(series, recipe)
        or wrong_length(series, recipe.needed, longest, "a forecast")
        or next((fault for name in recipe.columns if (fault := _wrong_column(series, name, recipe))), None)
        or (wrong_prices(_numbers(series)) if "high" in recipe.columns else None)
        or wrong_dates(series.get(DATES, ()))
    )


def _wrong_columns(series: Series, recipe: Recipe) -> Fault | None:
    for name in series:
        if name not in (*recipe.columns, DATES):
            return "unknown_column", unknown("column", name, (*recipe.columns, DATES))
    missing = [name for name in recipe.columns if name not in series]
    return ("missing_column", f"the series has no {shown(missing[0])}; it needs {', '.join(recipe.columns)}") if missing else None


def _wrong_column(series: Series, name: str, recipe: Recipe) -> Fault | None:
    above_zero = recipe.positive and name in (recipe.target, *PRICES)
    if fault := wrong_numbers(name, series[name], above_zero=above_zero):
        return fault
    if name in (recipe.target, "close"):
        return wrong_constant(name, _numbers(series)[name], recipe.needed, "forecast")
    return None


def _numbers(series: Series) -> dict[str, list[float]]:
    """The columns, which have been checked to contain numbers."""
    return cast(dict[str, list[float]], series)
