"""Figures of gates around regime breaks, and of scores by year."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from models.series.arrays import Values
from pipelines.evaluation.findings import Table

GATES = {"gru": "GRU: update gate $z_t$", "lstm": "LSTM: forget gate $f_t$"}


COLOURS = {"train": "tab:blue", "validate": "tab:orange", "test": "tab:green"}
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Protocol:
    """The periods of a task.

    Attributes:
        name: name of the task.
        begin: first day.
        valid_from: first day of the validation period.
        test_from: first day of the test period.
        end: last day.
        purge: number of days left out before `valid_from` and `test_from`, since their targets overlap the next period.
    """

    name: str
    begin: np.datetime64
    valid_from: np.datetime64
    test_from: np.datetime64
    end: np.datetime64
    purge: int


def protocol_figure(protocols: Sequence[Protocol]) -> Figure:
    """A timeline for each task: the training, validation and test periods, and the purged days between them."""
    figure = Figure(figsize=(9, 0.6 * len(protocols) + 1), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for place, one in enumerate(protocols):
        spans = {
            "train": (one.begin, one.valid_from),
            "validate": (one.valid_from, one.test_from),
            "test": (one.test_from, one.end),
        }
        for use, (first, behind) in spans.items():
            axes.barh(place, behind - first, left=first, color=COLOURS[use], height=0.5, label=use if not place else None)
        for edge in (one.valid_from, one.test_from):
            axes.barh(place, one.purge * DAY, left=edge - one.purge * DAY, color="black", height=0.5, label=None)
        axes.annotate(f"purge {one.purge}", (one.test_from, place + 0.27), fontsize=8, ha="right", va="top")
    axes.set_yticks(range(len(protocols)), [one.name for one in protocols])
    axes.margins(y=0.15)
    axes.invert_yaxis()
    axes.xaxis_date()
    axes.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.15))
    return figure


def gate_figure(curves: Mapping[str, Values]) -> Figure:
    """The mean gate by days from a break: one line per seed, and their mean.

    Args:
        curves: cell -> [seeds, days], with the break in the middle.
    """
    figure = Figure(figsize=(9, 3.2), dpi=120, layout="constrained")
    for place, (cell, around) in enumerate(curves.items(), start=1):
        axes = figure.add_subplot(1, len(curves), place, title=GATES[cell], xlabel="days from the break")
        days = np.arange(around.shape[1]) - around.shape[1] // 2
        axes.plot(days, around.T, color="0.75", linewidth=0.8)
        axes.plot(days, around.mean(0), color="tab:blue", linewidth=1.8, label="mean of the seeds")
        axes.axvline(0, color="tab:red", linewidth=0.8, linestyle="--")
        axes.set_ylabel("how much of the past is kept")
        axes.set_xticks(days[:: len(days) // 4])
        axes.legend(frameon=False)
    return figure


def year_figure(years: Table) -> Figure:
    """Brier scores by year, and the frequency of the event."""
    figure = Figure(figsize=(9, 3.2), dpi=120, layout="constrained")
    axes = figure.add_subplot(xlabel="year", ylabel="Brier score")
    at = [int(row["year"]) for row in years]
    axes.bar(at, [float(row["event_share"]) for row in years], color="0.88", label="share of days with the event")
    axes.plot(at, [float(row["har"]) for row in years], "o-", color="tab:orange", label="logistic HAR")
    axes.plot(at, [float(row["model"]) for row in years], "o-", color="tab:blue", label="GRU")
    axes.set_xticks(at, [str(year) for year in at], rotation=45)
    axes.legend(frameon=False, ncols=3)
    return figure
