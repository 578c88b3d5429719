"""Synthetic markets, and a small scheduling task on them."""

from typing import Any

import numpy as np

from models.series.sessions import coming
from pipelines.data.series.source import Series
from pipelines.kinds.scheduling.settings import SchedulingTask
from pipelines.settings.params import Params

FIRST = np.datetime64("2010-06-30")


def market(days: int, seed: int = 0, name: str = "made") -> Series:
    """A random walk with twice the volume on Fridays."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, days)))
    dates = coming(FIRST, days)
    friday = (dates.astype(int) - 1) % 7 == 0  # 1970-01-02 was a Friday
    volume = 1e6 * np.exp(rng.normal(0, 0.1, days)) * np.where(friday, 2.0, 1.0)
    high, low = close * (1 + rng.uniform(0.001, 0.01, days)), close * (1 - rng.uniform(0.001, 0.01, days))
    return Series(name, dates.astype("datetime64[s]"), {"high": high, "low": low, "close": close, "volume": volume})


def small(params: Params, **prepare: Any) -> SchedulingTask:
    """The shipped task, reduced to a short market."""
    content = params.task_of("execution", SchedulingTask).model_dump()
    held_out = {"horizons": [2, 5], "aversions": [1.0, 30.0]}
    content["prepare"] |= {"window": 20, "longest": 5, "held_out": held_out, "orders": 2} | prepare
    content["prepare"] |= {"valid_from": "2011-06-01", "test_from": "2011-10-03"}
    content["model"] |= {"hidden_size": 8, "attention_size": 4}
    content["train"] |= {"epochs": 2}
    content["examples"] = [{"market": "made", "side": "buy", "share": 0.1, "horizon": 3, "risk_aversion": 10.0}]
    return SchedulingTask.model_validate(content)
