"""Evaluates forecasts against baselines on test days that no choice was based on."""

from pathlib import Path

import numpy as np

from models.series.arrays import Values
from pipelines.evaluation.findings import Report
from pipelines.evaluation.scores import Scores, require_same
from pipelines.evaluation.walk_forward.losses import brier, pinball, qlike
from pipelines.kinds.forecasting.evaluation import events, quantiles, variance
from pipelines.kinds.forecasting.evaluation.faithfulness import faithfulness
from pipelines.kinds.forecasting.evaluation.figures import attention_map
from pipelines.kinds.forecasting.evaluation.rows import SplitRows, assert_served_alike
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.stage import threads
from serving.predictors.forecasting import Forecaster, read_recipe

STATED = ("unchanged_prices_most", "purged")
SHOWN = 5  # number of days whose attention is drawn


def evaluate(bundle: Path, prepared: Path, task: ForecastingTask, seed: int) -> Report:
    """Forecast from each test day with the exported model and with baselines.

    Args:
        bundle: the exported model.
        prepared: the prepare stage's output for the same task.
        task: see params.yaml.
        seed: of the bootstrap, and of the days that are deleted at random.

    Returns:
        depending on the loss, the result of `variance.report`, `events.report` or `quantiles.report`; for a model with
        attention also its faithfulness and a figure.

    Raises:
        BundleError: the folder is not an intact forecasting bundle.
        StageError: served forecasts differ from the evaluated ones.
    """
    forecaster = Forecaster.load(bundle, threads=threads())
    train, valid, test = (SplitRows.read(prepared, split) for split in ("train", "valid", "test"))
    forecasts, attention = forecaster.run(test.days, test.linear, batch_size=task.evaluate.batch_size)
    assert_served_alike(forecaster, prepared, forecasts, seed)
    match task.model.loss:
        case "qlike":
            found = variance.report(task, forecasts[..., 0], valid, test, seed)
        case "event":
            found = events.report(task, forecasts[..., 0], train, test, seed)
        case "quantile":
            found = quantiles.report(task, forecaster, forecasts, (train, valid, test), seed)
    if not forecaster.about.attention:
        return found
    looked = faithfulness(forecaster, test, attention, seed)
    figures = {**found.figures, "attention.png": attention_map(test, attention[test.parts[0].rows], SHOWN)}
    return Report({**found.metrics, **looked}, found.tables, figures)


def score(bundle: Path, prepared: Path, task: ForecastingTask) -> Scores:
    """The loss of each forecast, which is the loss that the model was trained with; by series and by year."""
    forecaster, rows = Forecaster.load(bundle, threads=threads()), SplitRows.read(prepared, "test")
    require_same(forecaster.recipe, read_recipe(prepared))
    forecasts, _ = forecaster.run(rows.days, rows.linear, batch_size=task.evaluate.batch_size)
    is_event = forecaster.about.loss == "event"
    confidence, correct = events.answers(rows.targets[:, 0], forecasts[:, 0, 0]) if is_event else (None, None)
    return Scores(
        name=forecaster.about.loss,
        values=_losses(forecaster, forecasts, rows.targets).mean(axis=1),
        larger_is_better=False,
        slices={"series": _series(rows), "year": rows.times.astype("datetime64[Y]").astype(str).tolist()},
        blocks=np.unique(rows.times, return_inverse=True)[1] // task.evaluate.block,
        confidence=confidence,
        correct=correct,
    )


def _losses(forecaster: Forecaster, forecasts: Values, targets: Values) -> Values:
    """The loss of each row and horizon, [N, H]; with quantiles, their mean."""
    match forecaster.about.loss:
        case "qlike":
            return qlike(targets, forecasts[..., 0])
        case "event":
            return brier(targets, forecasts[..., 0])
        case _:
            levels = forecaster.about.levels
            losses = np.stack([pinball(targets, forecasts[..., i], level) for i, level in enumerate(levels)])
            mean: Values = losses.mean(axis=0)
            return mean


def _series(rows: SplitRows) -> list[str]:
    names = np.empty(len(rows.times), dtype=object)
    for part in rows.parts:
        names[part.rows] = part.name
    return [str(name) for name in names]
