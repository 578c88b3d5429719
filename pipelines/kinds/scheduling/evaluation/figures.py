"""Figures of schedules with the closed form, and of volume shares by date."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import dates
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.series.arrays import Values
from models.series.sessions import coming
from pipelines.kinds.scheduling.evaluation.rows import OrderRows

COLORS = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple")


def schedule_figure(rows: OrderRows, schedules: Values) -> Figure:
    """The model's schedule and the closed form, for the first order of each risk aversion with the longest horizon."""
    longest = np.flatnonzero(rows.horizons == rows.horizons.max())
    figure = Figure(figsize=(7, 3.4), dpi=120, layout="constrained")
    axes = figure.add_subplot(xlabel="day of the horizon", ylabel="share of the order")
    for color, aversion in zip(COLORS, np.unique(rows.aversions[longest]), strict=False):
        row = longest[rows.aversions[longest] == aversion][0]
        days = np.arange(1, rows.horizons[row] + 1)
        axes.plot(
            days, rows.schedules[row, : len(days)], color=color, linewidth=1, label=f"closed form, risk aversion {aversion:g}"
        )
        axes.plot(days, schedules[row, : len(days)], "o", color=color, markersize=4)
    axes.plot([], [], "o", color="0.4", markersize=4, label="model")
    axes.set_title("Schedules of the model and of the closed form by Almgren and Chriss", fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=8)
    return figure


def volume_figure(rows: OrderRows, expected: Mapping[str, Values]) -> Figure:
    """The observed and expected volume shares of one order with the longest horizon.

    Args:
        rows: the orders.
        expected: label -> shares, [N, A]; the order drawn is the one for which the first label's shares vary most.
    """
    longest = np.flatnonzero(rows.horizons == rows.horizons.max())
    row = longest[int(np.argmax(next(iter(expected.values()))[longest].std(axis=1)))]
    count = int(rows.horizons[row])
    days = coming(rows.times[row], count).astype("datetime64[D]")
    figure = Figure(figsize=(9, 3.2), dpi=120, layout="constrained")
    axes = figure.add_subplot(ylabel="share of the volume", xlabel="day")
    axes.bar(days, rows.volumes[row, :count], color="0.85", width=0.8, label="observed")
    for color, (label, shares) in zip(COLORS, expected.items(), strict=False):
        axes.plot(days, shares[row, :count], "o-", color=color, markersize=3, linewidth=1, label=label)
    concise: Any = dates.ConciseDateFormatter  # untyped
    axes.xaxis.set_major_formatter(concise(axes.xaxis.get_major_locator()))
    axes.set_title(f"Volume of the {count} days after {rows.times[row].astype('datetime64[D]')}", fontsize=10)
    axes.legend(frameon=False, ncols=4, fontsize=8)
    return figure
