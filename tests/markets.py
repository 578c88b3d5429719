"""Synthetic markets of two sectors, and their price files."""

from datetime import date
from pathlib import Path

import numpy as np

from pipelines.data.catalogue import DataSet
from pipelines.data.series.market import Market

SECTORS = {"Oil": ["CVX", "XOM", "RRC"], "Soap": ["CL", "KMB", "PG"]}
NAMES = tuple(sorted(name for members in SECTORS.values() for name in members))
FIRST = date(2001, 1, 1)


def market(days: int, seed: int = 0) -> Market:
    """A market in which each stock's return is its sector's daily return plus noise of half the size."""
    numbers = np.random.default_rng(seed)
    sector = numbers.normal(size=(days, len(SECTORS)))
    of = [next(i for i, members in enumerate(SECTORS.values()) if name in members) for name in NAMES]
    returns = 0.01 * (sector[:, of] + 0.5 * numbers.normal(size=(days, len(NAMES))))
    return Market(NAMES, np.datetime64(FIRST) + np.arange(days), returns)


def write_prices(path: Path, shown: Market) -> DataSet:
    """Write a CSV file of closing prices with a market's returns; returns its catalogue entry."""
    prices = 10 * np.exp(np.cumsum(np.vstack([np.zeros(len(shown.names)), shown.returns]), axis=0))
    days = [shown.days[0] - 1, *shown.days]
    lines = [f"{day},{','.join(map(repr, row.tolist()))}" for day, row in zip(days, prices, strict=True)]
    path.write_text("\n".join([f"Date,{','.join(shown.names)}", *lines]) + "\n")
    file = {"name": path.name, "size": 1, "sha256": "0" * 64, "sources": [{"kind": "local", "path": str(path)}]}
    rows = [{"format": "series", "file": path.name, "time": "Date", "each": "close"}]
    said = {"title": "prices", "licence": "none", "citation": "none", "redistributable": False, "files": [file], "rows": rows}
    return DataSet.model_validate(said)
