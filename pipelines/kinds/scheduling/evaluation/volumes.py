"""Scores volume shares against baselines."""

from collections.abc import Mapping

import numpy as np

from models.series.arrays import Values
from models.series.volumes import shares
from pipelines.evaluation.walk_forward.comparison import compare
from pipelines.kinds.scheduling.evaluation.rows import OrderRows
from pipelines.kinds.scheduling.settings import SchedulingTask

RECENT = 20  # days in the repeated pattern: four of each weekday


def baselines(rows: OrderRows, effects: Values) -> Mapping[str, Values]:
    """Volume shares without a network.

    Args:
        rows: the orders.
        effects: of the calendar on the logarithm of volumes, fitted on training days, [C].

    Returns:
        by name, [N, A] each. equal: the same on each day. recent: proportional to the mean volume of the last 20 days on the
        same day of a five-day week. calendar: proportional to the usual calendar effects.
    """
    longest = rows.schedules.shape[1]
    weeks = rows.before("volume", RECENT).reshape(len(rows.ends), -1, 5).mean(axis=1)  # means by day of a five-day week, [N, 5]
    recent = weeks[:, np.arange(longest) % 5]
    return {
        "equal": rows.even,
        "recent": shares(np.log(recent), rows.horizons),
        "calendar": shares(rows.ahead @ effects, rows.horizons),
    }


def errors(rows: OrderRows, expected: Values) -> Values:
    """The mean absolute error of each order's volume shares over the days of its horizon, [N]."""
    found: Values = np.abs(expected - rows.volumes).sum(axis=1) / rows.horizons
    return found


def report(
    task: SchedulingTask, rows: OrderRows, expected: Values, undated: Values, effects: Values, seed: int
) -> dict[str, float | str]:
    """Compare expected shares with observed ones and with baselines.

    Args:
        task: its block.
        rows: the orders.
        expected: the model's shares, [N, A].
        undated: the model's shares without dates, [N, A].
        effects: see `baselines`.
        seed: of the bootstrap.

    Returns:
        volume_share_mae; BASELINE_volume_share_mae for each baseline; best_baseline, the ratio to its error, the 95 % interval
        of the difference and the p-value of the Diebold-Mariano test; undated_volume_share_ratio, the error without dates
        relative to that of equal shares.
    """
    ours, beside = errors(rows, expected), {name: errors(rows, found) for name, found in baselines(rows, effects).items()}
    best = min(beside, key=lambda name: float(beside[name].mean()))
    horizon, block = int(rows.horizons.max()), task.evaluate.block
    compared = compare(ours, beside[best], rows.times, horizon, seed, max(block, horizon + 1))
    blind = compare(errors(rows, undated), beside["equal"], rows.times, horizon, seed, max(block, horizon + 1))
    return {
        "volume_share_mae": float(ours.mean()),
        **{f"{name}_volume_share_mae": float(theirs.mean()) for name, theirs in beside.items()},
        "best_baseline": best,
        "volume_share_ratio": compared.ratio,
        "volume_share_diff_low": compared.low,
        "volume_share_diff_high": compared.high,
        "volume_share_p": compared.p,
        "undated_volume_share_ratio": blind.ratio,
        "undated_volume_share_p": blind.p,
    }
