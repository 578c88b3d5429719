"""Settings of a forecaster, from data preparation to serving."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from models.names import AggregateName, CellName, DaysName, ForecastLossName, QuantityName
from models.series.quantities import DATES, QUANTITIES, TARGET
from pipelines.settings.section import Count, Evaluate, Export, Positive, Section, Serve, Share, Train
from pipelines.settings.tasks import PlainData, SeriesPrepare, SeriesTask

MEDIAN = 0.5
TAKEN = (TARGET, DATES)  # reserved names, not allowed for inputs
Level = Annotated[float, Field(gt=0, lt=1)]


class ForecastingPrepare(SeriesPrepare):
    """How series become windows, see models.series.recipe.Recipe."""

    quantity: QuantityName
    target: str
    inputs: list[str]
    window: Positive
    averages: Annotated[list[Positive], Field(min_length=1)]
    season: Count
    horizons: Annotated[list[Positive], Field(min_length=1)]
    aggregate: AggregateName
    level: Share
    history: Count
    stride: Positive

    @model_validator(mode="after")
    def _fits_its_quantity(self) -> Self:
        if bool(QUANTITIES[self.quantity].columns) == bool(self.target):
            raise ValueError(f"target: {self.quantity} " + ("is computed from prices" if self.target else "needs a column"))
        if self.inputs and not self.target:
            raise ValueError(f"inputs: {self.quantity} is computed from prices alone")
        for name in self.inputs:
            if name in TAKEN or [self.target, *self.inputs].count(name) > 1:
                raise ValueError(f"inputs: {name} " + ("is a reserved name" if name in TAKEN else "occurs twice"))
        if sorted(set(self.horizons)) != self.horizons:
            raise ValueError(f"horizons have to ascend, not {self.horizons}")
        if bool(self.level) != bool(self.history):
            raise ValueError("level and history have to be set together")
        if self.level and (len(self.horizons) > 1 or self.aggregate != "mean" or not QUANTITIES[self.quantity].positive):
            raise ValueError("level: an event needs the mean of a positive quantity at one horizon")
        return self


class ForecasterModel(Section):
    """Sizes of models.forecasting.forecaster.Forecaster."""

    loss: ForecastLossName
    levels: list[Level]
    members: Positive
    linear: bool
    cell: CellName
    hidden_size: Positive
    layers: Positive
    attention: DaysName
    attention_size: Positive
    dropout: Share

    @model_validator(mode="after")
    def _has_levels_where_they_count(self) -> Self:
        if self.loss == "quantile" and (len(self.levels) < 2 or sorted(set(self.levels)) != self.levels):
            raise ValueError("levels: the quantile loss needs two or more, ascending")
        if self.loss == "quantile" and not self.levels[0] <= MEDIAN <= self.levels[-1]:
            raise ValueError("levels: the median, which is evaluated, is not between the first and the last")
        if self.loss != "quantile" and self.levels:
            raise ValueError(f"levels: the loss {self.loss} takes none")
        return self


class ForecastingEvaluate(Evaluate):
    """Evaluation settings, with the linear baseline's refit interval and window, and the bootstrap's block length."""

    refit_every: Positive
    refit_on: Positive
    block: Positive


class ForecastingTask(SeriesTask):
    """The last time steps of a series -> a quantity of the time steps ahead."""

    kind: Literal["forecasting"]
    units: Literal["times"]
    data: PlainData
    prepare: ForecastingPrepare
    model: ForecasterModel
    train: Train
    export: Export
    evaluate: ForecastingEvaluate
    serve: Serve
    examples: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _loss_fits_the_quantity(self) -> Self:
        if (self.model.loss == "event") != bool(self.prepare.level):
            raise ValueError("model.loss: event and prepare.level have to be set together")
        if self.model.loss == "qlike" and not QUANTITIES[self.prepare.quantity].positive:
            raise ValueError("model.loss: qlike is for positive quantities; use quantile")
        if self.model.loss == "qlike" and self.prepare.aggregate == "last" and self.prepare.horizons != [1]:
            raise ValueError("prepare.aggregate: the baselines of qlike forecast means; use mean, or the loss quantile")
        return self


BLOCK = ForecastingTask
