"""Scores forecasts of a positive quantity, such as a variance, against random walk, exponential smoothing and log-HAR."""

import numpy as np

from models.series.arrays import Values
from pipelines.evaluation.findings import Report, Table
from pipelines.evaluation.walk_forward.comparison import compare
from pipelines.evaluation.walk_forward.losses import qlike
from pipelines.kinds.forecasting.evaluation.baselines import Forecasts, of_variance
from pipelines.kinds.forecasting.evaluation.figures import forecast_figure
from pipelines.kinds.forecasting.evaluation.rows import SplitRows
from pipelines.kinds.forecasting.settings import ForecastingTask

FIRST = "har"  # the baseline to beat


def report(task: ForecastingTask, forecasts: Values, valid: SplitRows, test: SplitRows, seed: int) -> Report:
    """Compare the model with each baseline, day by day.

    Args:
        task: its block.
        forecasts: of the test rows, [N, H].
        valid: the rows to tune baselines on.
        test: the rows.
        seed: of the bootstrap.

    Returns:
        for each horizon (a suffix of the names if there are several) the mean QLIKE of the model and of each baseline and
        qlike_over_BASELINE; for log-HAR also qlike_diff with its 95 % interval and the p-value of the Diebold-Mariano test.
    """
    beside, metrics = of_variance(task, test, valid), dict[str, float]()
    for i, horizon in enumerate(task.prepare.horizons):
        suffix = f"_{horizon}" if len(task.prepare.horizons) > 1 else ""
        ours = qlike(test.targets[:, i], forecasts[:, i])
        metrics |= {f"qlike{suffix}": float(ours.mean())}
        for name, found in beside.items():
            theirs = qlike(test.targets[:, i], found[:, i])
            compared = compare(ours, theirs, test.times, horizon, seed, task.evaluate.block)
            metrics |= {f"{name}_qlike{suffix}": float(theirs.mean()), f"qlike_over_{name}{suffix}": compared.ratio}
            if name == FIRST:
                metrics |= {
                    f"qlike_diff{suffix}": compared.difference,
                    f"qlike_diff_low{suffix}": compared.low,
                    f"qlike_diff_high{suffix}": compared.high,
                    f"diebold_mariano_p{suffix}": compared.p,
                }
    figures = {"forecasts.png": forecast_figure(test, forecasts[:, 0], beside[FIRST][:, 0], task.prepare.horizons[0])}
    return Report(metrics, {"series.csv": _by_series(task, forecasts, beside, test)}, figures)


def _by_series(task: ForecastingTask, forecasts: Values, beside: Forecasts, test: SplitRows) -> Table:
    rows: list[dict[str, str | int | float]] = []
    for part in test.parts:
        for i, horizon in enumerate(task.prepare.horizons):
            came = test.targets[part.rows, i]
            means = {name: float(qlike(came, found[part.rows, i]).mean()) for name, found in beside.items()}
            ours = float(qlike(came, forecasts[part.rows, i]).mean())
            bias = float(np.mean(came / forecasts[part.rows, i]))
            rows.append({"series": part.name, "horizon": horizon, "days": len(came), "model": ours, **means, "bias": bias})
    return rows
