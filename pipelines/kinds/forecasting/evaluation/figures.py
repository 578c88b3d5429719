"""Figures of forecasts and attention by date."""

from typing import Any

import numpy as np
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.series.arrays import Values
from pipelines.kinds.forecasting.evaluation.rows import SplitRows
from serving.predictors.arrays import FloatArray

DRAWN = 500  # maximum number of test rows, the last ones
SPAN = 10  # the axis is logarithmic if the largest value is more than this many times the smallest


def forecast_figure(test: SplitRows, forecasts: Values, baseline: Values, horizon: int) -> Figure:
    """Observations, forecasts and the baseline's forecasts of the first series.

    Args:
        test: the rows.
        forecasts: of the rows, [N].
        baseline: its forecasts, [N].
        horizon: time steps ahead.
    """
    part = test.parts[0]
    rows = part.rows[-DRAWN:]
    figure = Figure(figsize=(9, 3.2), dpi=120, layout="constrained")
    axes = figure.add_subplot(title=f"{part.name}, {horizon} ahead", xlabel="day of the forecast", ylabel="value")
    axes.plot(test.times[rows], test.targets[rows, 0], ".", color="0.65", markersize=3, label="observed")
    axes.plot(test.times[rows], baseline[rows], color="tab:orange", linewidth=1, label="baseline")
    axes.plot(test.times[rows], forecasts[rows], color="tab:blue", linewidth=1.2, label="model")
    if 0 < SPAN * test.targets[rows, 0].min() < test.targets[rows, 0].max():
        axes.set_yscale("log")
    _date(axes)
    axes.legend(frameon=False, ncols=3)
    return figure


def attention_map(test: SplitRows, attention: FloatArray, shown: int) -> Figure:
    """The attention of forecasts from some days of the first series, evenly spaced over the test: one panel each.

    Args:
        test: the rows.
        attention: of the first series' rows, [N, L].
        shown: number of panels.
    """
    part = test.parts[0]
    figure = Figure(figsize=(9, 1.5 * shown), dpi=120, layout="constrained")
    chosen = np.linspace(0, len(part.rows) - 1, shown).astype(int)
    for i, row in enumerate(chosen, start=1):
        axes = figure.add_subplot(shown, 1, i)
        place = int(part.places[row])
        days = part.times[place + 1 - attention.shape[1] : place + 1]
        axes.bar(days.astype("datetime64[D]"), 100 * (attention[row] * attention.shape[1] - 1), width=1.0, color="tab:blue")
        axes.axhline(0, color="0.5", linewidth=0.8)
        axes.set_ylabel("difference, %")
        _date(axes)
    figure.suptitle(f"{part.name}: attention to the days before a forecast, compared with equal weights", fontsize=10)
    return figure


def _date(axes: Axes) -> None:
    concise: Any = dates.ConciseDateFormatter  # untyped
    axes.xaxis.set_major_formatter(concise(axes.xaxis.get_major_locator()))
