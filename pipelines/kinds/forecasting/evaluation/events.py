"""Scores event probabilities against the event's frequency and logistic regression."""

from dataclasses import asdict

import numpy as np

from models.series.arrays import Values
from pipelines.evaluation.calibration import Bin, calibration_bins, expected_calibration_error
from pipelines.evaluation.findings import Report, Table
from pipelines.evaluation.walk_forward.comparison import compare
from pipelines.evaluation.walk_forward.losses import brier, log_loss, skill
from pipelines.kinds.forecasting.evaluation.baselines import Forecasts, of_events
from pipelines.kinds.forecasting.evaluation.rows import SplitRows
from pipelines.kinds.forecasting.settings import ForecastingTask

FIRST = "har"


def report(task: ForecastingTask, probabilities: Values, train: SplitRows, test: SplitRows, seed: int) -> Report:
    """Score probabilities.

    Args:
        task: its block.
        probabilities: of the test rows, [N, 1].
        train: the rows to fit baselines on.
        test: the rows.
        seed: of the bootstrap.

    Returns:
        brier and log_loss of the model and of each baseline; brier_skill_over_BASELINE; for logistic regression also the
        skill's 95 % interval and the p-value of the Diebold-Mariano test; the expected calibration error; a table by year.
    """
    came, ours, beside = test.targets[:, 0], probabilities[:, 0], of_events(train, test)
    metrics = {"event_share": float(came.mean()), "brier": float(brier(came, ours).mean())}
    metrics |= {"log_loss": float(log_loss(came, ours).mean()), "ece": expected_calibration_error(_bins(came, ours))}
    for name, found in beside.items():
        theirs = brier(came, found[:, 0])
        metrics |= {f"{name}_brier": float(theirs.mean()), f"{name}_log_loss": float(log_loss(came, found[:, 0]).mean())}
        metrics |= {f"brier_skill_over_{name}": skill(brier(came, ours), theirs)}
    theirs = brier(came, beside[FIRST][:, 0])
    compared = compare(brier(came, ours), theirs, test.times, task.prepare.horizons[0], seed, task.evaluate.block)
    metrics |= {
        "brier_skill_low": -compared.high / float(theirs.mean()),
        "brier_skill_high": -compared.low / float(theirs.mean()),
        "diebold_mariano_p": compared.p,
    }
    return Report(
        metrics, {"years.csv": _by_year(ours, beside, test), "calibration.csv": [asdict(one) for one in _bins(came, ours)]}
    )


def answers(came: Values, probabilities: Values) -> tuple[Values, "np.ndarray[tuple[int], np.dtype[np.bool_]]"]:
    """The probability of the more probable answer, and whether it is right, as for a binary classifier."""
    return np.maximum(probabilities, 1 - probabilities), (probabilities > 0.5) == (came > 0.5)


def _bins(came: Values, probabilities: Values) -> list[Bin]:
    return calibration_bins(*answers(came, probabilities))


def _by_year(ours: Values, beside: Forecasts, test: SplitRows) -> Table:
    """The event's share and the Brier score per year: a mean over fifteen years hides a crisis."""
    years = test.times.astype("datetime64[Y]").astype(int) + 1970
    rows: list[dict[str, str | int | float]] = []
    for year in np.unique(years):
        some = years == year
        came = test.targets[some, 0]
        means = {name: float(brier(came, found[some, 0]).mean()) for name, found in beside.items()}
        share, model = float(came.mean()), float(brier(came, ours[some]).mean())
        rows.append({"year": int(year), "days": int(some.sum()), "event_share": share, "model": model, **means})
    return rows
