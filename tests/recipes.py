"""Random recipes for reading series, and series for them."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from models.names import QuantityName
from models.series.arrays import Columns
from models.series.recipe import Recipe

DAYS = 90  # enough for every recipe that is drawn
PLAIN: dict[str, Any] = {"window": 6, "averages": (1, 3), "season": 0, "horizons": (1, 4), "level": 0.0, "history": 0}


def recipe(quantity: QuantityName = "range_variance", **changes: Any) -> Recipe:
    """A small recipe; for the quantities `value` and `positive_value`, with the target `load` and the input `heat`."""
    own = quantity in ("value", "positive_value")
    named = {"target": "load" if own else "", "inputs": ("heat",) if own else (), "aggregate": "mean"}
    return Recipe(**{"quantity": quantity, **named, **PLAIN, **changes})


def columns(read: Recipe, days: int = DAYS, seed: int = 0) -> Columns:
    """The columns for a recipe: prices, or a positive load and a heat that may be negative."""
    numbers = np.random.default_rng(seed)
    if read.target:
        return {"load": np.exp(numbers.normal(size=days)), "heat": numbers.normal(size=days)}
    path = 10 * np.exp(np.cumsum(0.01 * numbers.normal(size=(days, 8)), axis=None)).reshape(days, 8)
    return {"high": path.max(axis=1), "low": path.min(axis=1), "close": path[:, -1]}


@st.composite
def recipes(draw: st.DrawFn, *, events: bool | None = None) -> Recipe:
    """Any recipe; with `events`, only recipes of events (True) or none of them (False)."""
    event = draw(st.booleans()) if events is None else events
    quantities: tuple[QuantityName, ...] = ("range_variance", "squared_return", "positive_value", *(() if event else ("value",)))
    horizons = st.lists(st.integers(1, 9), min_size=1, max_size=1 if event else 3, unique=True).map(sorted)
    return recipe(
        draw(st.sampled_from(quantities)),
        window=draw(st.integers(1, 12)),
        averages=tuple(draw(st.lists(st.integers(1, 14), min_size=1, max_size=3))),
        season=draw(st.sampled_from((0, 2, 7))),
        horizons=tuple(draw(horizons)),
        aggregate="mean" if event else draw(st.sampled_from(("mean", "last"))),
        level=draw(st.sampled_from((0.1, 0.5, 0.8))) if event else 0.0,
        history=draw(st.integers(1, 25)) if event else 0,
    )
