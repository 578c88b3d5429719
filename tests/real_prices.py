"""The published prices of two indices and 20 stocks, if they have been downloaded."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from models.series.arrays import Values
from pipelines.data.catalogue import load_catalogue
from pipelines.data.series.source import Series, read_series

ROOT, SET, STOCKS = Path(__file__).parents[1], "index-prices", "stock-prices"


def prices() -> dict[str, Series]:
    """The indices by name; skips the test if they have not been downloaded."""
    return _read(SET)


def stocks() -> dict[str, Series]:
    """The stocks by name; skips the test if they have not been downloaded."""
    return _read(STOCKS)


@cache
def _read(data_set: str) -> dict[str, Series]:
    if not (raw := ROOT / "data/raw" / data_set).exists():
        pytest.skip(f"needs prices, 1 MB: `python -m pipelines.stages.download {data_set}`")
    catalogue = load_catalogue(ROOT / "data/catalogue.yaml")
    return {series.name: series for series in read_series(catalogue[data_set], data_set, raw)}


def parkinson(series: Series) -> Values:
    """Variance of each day, ln(H / L)^2 / (4 ln 2) (Parkinson 1980), at least 1e-7, [T]."""
    spread: Values = np.log(series.columns["high"] / series.columns["low"])
    variance: Values = np.maximum(spread**2 / (4 * np.log(2)), 1e-7)
    return variance
