"""Proposes a block for regular series."""

import json
from typing import Final

from pipelines.new.series.facts import SeriesFacts

UNITS = ("times",)
LEVELS: Final = tuple(i / 10 for i in range(1, 10))
LONGEST_WINDOW: Final = 168  # time steps that the network reads: a week of hours
NO_SEASON: Final = 16  # time steps that matter in a series without seasonality
TIMES_PER_HORIZON: Final = 40  # in the shortest series, so that a tenth of it contains several consecutive horizons
BATCH: Final = 64  # windows
UPDATES: Final = 1500  # enough for a small model, regardless of the data
FEWEST, MOST = 5, 60  # epochs
MOST_WINDOWS: Final = 20_000  # in an epoch
SERVED: Final = 5000  # maximum time steps of a request


def horizons(facts: SeriesFacts) -> list[int]:
    """Time steps ahead: 1, a quarter of the shortest natural cycle, and the whole cycle, if the series are long enough."""
    cycle = facts.step.cycles[0] if facts.step.cycles else 4
    longest = max(facts.shortest // TIMES_PER_HORIZON, 1)
    return sorted({1, *(h for h in (round(cycle / 4), cycle) if 1 < h <= longest)})


def values(name: str, title: str, facts: SeriesFacts) -> dict[str, str]:
    """The values for the block's placeholders.

    Args:
        name: of the task and of its data set.
        title: a description in one line.
        facts: about its series.
    """
    season, ahead = facts.season.steps, horizons(facts)
    window = min(max(season, 2 * min(season or NO_SEASON, 24)), LONGEST_WINDOW, facts.shortest // 6)
    windows = sum(int(0.8 * len(one)) for one in facts.series)
    stride = -(-windows // MOST_WINDOWS)
    updates = max(windows // stride // BATCH, 1)
    epochs = min(max(round(UPDATES / updates), FEWEST), MOST)
    shortest_test = facts.shortest // 10 - ahead[-1]
    return {
        "name": name,
        "data_set": name,
        "title": title,
        "valid_from": facts.valid_from,
        "test_from": facts.test_from,
        "quantity": "positive_value" if facts.grows else "value",
        "why_quantity": "its swings grow with its level" if facts.grows else "its swings do not grow with its level",
        "target": json.dumps(facts.target, ensure_ascii=False),
        "inputs": json.dumps(facts.inputs, ensure_ascii=False),
        "window": str(window),
        "averages": json.dumps(sorted({1, *_averages(season), *([] if season else [4, NO_SEASON])})),
        "season": str(season),
        "why_season": f"autocorrelation {facts.season.correlation:.2f}" if season else "none was found",
        "horizons": json.dumps(ahead),
        "step": facts.step.name,
        "stride": str(stride),
        "levels": json.dumps(LEVELS),
        "epochs": str(epochs),
        "updates": f"{epochs * updates:,}",
        "batch_units": str(BATCH * window),
        "batch_rows": str(BATCH),
        "served": str(max(SERVED, 4 * (season + ahead[-1] + window))),
        "block": str(max(min(2 * max(season, ahead[-1], 4), shortest_test // 2), 1)),
        "examples": json.dumps([one.name for one in facts.series[:2]], ensure_ascii=False),
    }


def said(facts: SeriesFacts) -> str:
    """A summary of the forecasts, in one line."""
    *some, last = horizons(facts)
    ahead = "".join(f"{h}, " for h in some) + facts.step.times(last)
    return f"forecasts: {ahead} ahead, each with its quantiles of {LEVELS[0]:g} to {LEVELS[-1]:g}"


def _averages(season: int) -> list[int]:
    """Lengths of the moving averages: a quarter of a season (a seventh of a long one) and the whole season."""
    return [one for one in (round(season / 7) if season > 48 else round(season / 4), season) if one > 1]
