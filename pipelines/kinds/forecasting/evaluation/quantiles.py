"""Scores quantile forecasts against naive, seasonal naive, exponential smoothing and linear autoregression forecasts."""

from collections.abc import Sequence

import numpy as np

from models.series.arrays import Values
from pipelines.evaluation.findings import Report
from pipelines.evaluation.walk_forward.comparison import compare
from pipelines.evaluation.walk_forward.losses import absolute, pinball
from pipelines.kinds.forecasting.evaluation.baselines import of_values
from pipelines.kinds.forecasting.evaluation.figures import forecast_figure
from pipelines.kinds.forecasting.evaluation.rows import SplitRows
from pipelines.kinds.forecasting.settings import ForecastingTask
from serving.predictors.forecasting import Forecaster


def report(task: ForecastingTask, forecaster: Forecaster, forecasts: Values, splits: Sequence[SplitRows], seed: int) -> Report:
    """Compare the model's median with each baseline, and its outer quantiles with the observations.

    Args:
        task: its block.
        forecaster: as it is served.
        forecasts: of the test rows, [N, H, Q].
        splits: train, valid and test.
        seed: of the bootstrap.

    Returns:
        the mean absolute error of the model and of each baseline over all horizons, mae_over_BASELINE, the interval of the
        difference from the best baseline, the mean pinball loss, and the coverage of the outer quantiles.
    """
    train, valid, test = splits
    levels = forecaster.about.levels
    median = np.stack([_at(values, levels, 0.5) for values in np.moveaxis(forecasts, 1, 0)], axis=1)  # [N, H]
    ours = absolute(test.targets, median).mean(axis=1)
    beside = of_values(task, train, valid, test)
    losses = {name: absolute(test.targets, found).mean(axis=1) for name, found in beside.items()}
    best = min(losses, key=lambda name: float(losses[name].mean()))
    metrics: dict[str, float | str] = {"mae": float(ours.mean()), "best_baseline": best}
    for name, theirs in losses.items():
        metrics |= {f"{name}_mae": float(theirs.mean()), f"mae_over_{name}": float(ours.mean() / theirs.mean())}
    compared = compare(ours, losses[best], test.times, max(task.prepare.horizons), seed, task.evaluate.block)
    pinballs = [pinball(test.targets, forecasts[..., i], level).mean() for i, level in enumerate(levels)]
    inside = (forecasts[..., 0] <= test.targets) & (test.targets <= forecasts[..., -1])
    metrics |= {"mae_diff_low": compared.low, "mae_diff_high": compared.high, "diebold_mariano_p": compared.p}
    metrics |= {"pinball": float(np.mean(pinballs)), "coverage": float(inside.mean()), "coverage_wanted": levels[-1] - levels[0]}
    figure = forecast_figure(test, median[:, 0], beside[best][:, 0], task.prepare.horizons[0])
    return Report(metrics, {}, {"forecasts.png": figure})


def _at(values: Values, levels: Sequence[float], level: float) -> Values:
    """One quantile of each row by interpolation, [N, Q] -> [N]."""
    return np.array([np.interp(level, levels, row) for row in values])
