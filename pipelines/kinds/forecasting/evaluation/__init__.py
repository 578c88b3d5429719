"""Evaluates forecasts against baselines on test days that no choice was based on."""

from pathlib import Path

from pipelines.evaluation.findings import Report
from pipelines.kinds.forecasting.evaluation import events, quantiles, variance
from pipelines.kinds.forecasting.evaluation.faithfulness import faithfulness
from pipelines.kinds.forecasting.evaluation.figures import attention_map
from pipelines.kinds.forecasting.evaluation.rows import SplitRows, assert_served_alike
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.stage import threads
from serving.predictors.forecasting import Forecaster

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
