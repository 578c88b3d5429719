"""Builds the forecaster for training."""

from pathlib import Path

from models.forecasting.forecaster import Forecaster
from models.series.quantities import QUANTITIES
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.windows import LINEAR, STEPS, mapped


def build(task: ForecastingTask, prepared: Path) -> Forecaster:
    """See `pipelines.kinds.parts.Model`."""
    return Forecaster(
        positive=QUANTITIES[task.prepare.quantity].positive,
        horizons=len(task.prepare.horizons),
        steps=mapped(prepared, STEPS).shape[1],
        averages=mapped(prepared, LINEAR).shape[1],
        **task.model.model_dump(),
    )
