"""Settings of a scheduler, from data preparation to serving."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from models.names import AttentionName, CellName, SideName
from pipelines.settings.section import Evaluate, Export, Positive, PositiveFloat, Section, Serve, Share, Train
from pipelines.settings.tasks import PlainData, SeriesPrepare, SeriesTask


class ImpactSettings(Section):
    """Trading costs, see models.series.execution.Impact."""

    spread: PositiveFloat
    temporary: PositiveFloat
    permanent: PositiveFloat

    @model_validator(mode="after")
    def _leaves_a_cost_of_haste(self) -> Self:
        if self.permanent >= 2 * self.temporary:
            raise ValueError("permanent has to be below twice temporary: eta - gamma / 2, the cost of speed, has to be positive")
        return self


class OrderGrid(Section):
    """The orders of held-out days: each day has one of each horizon; risk aversions alternate."""

    horizons: Annotated[list[Positive], Field(min_length=1)]
    aversions: Annotated[list[PositiveFloat], Field(min_length=1)]


class SchedulingPrepare(SeriesPrepare):
    """How markets are turned into orders with schedules."""

    window: Annotated[int, Field(ge=20)]  # baselines use the last 20 days
    longest: Positive
    most_aversion: PositiveFloat
    orders: Positive
    undated: Share
    held_out: OrderGrid
    impact: ImpactSettings

    @model_validator(mode="after")
    def _holds_out_what_it_trains(self) -> Self:
        if max(self.held_out.horizons) > self.longest:
            raise ValueError(f"held_out.horizons: none may be above longest, which is {self.longest}")
        if max(self.held_out.aversions) > self.most_aversion:
            raise ValueError(f"held_out.aversions: none may be above most_aversion, which is {self.most_aversion:g}")
        return self


class SchedulerModel(Section):
    """Sizes of models.scheduling.scheduler.Scheduler."""

    cell: CellName
    hidden_size: Positive
    layers: Positive
    attention: AttentionName
    attention_size: Positive
    dropout: Share
    volume_weight: PositiveFloat


class SchedulingExport(Export):
    """Export settings, with the largest order and the highest risk aversion that are served."""

    most_share: Annotated[float, Field(gt=0, le=1)]
    most_aversion: PositiveFloat


class SchedulingEvaluate(Evaluate):
    """Evaluation settings, with the size of simulated orders, the bootstrap's block length and the number of settings tried."""

    share: Annotated[float, Field(gt=0, le=1)]
    block: Positive
    configurations_tried: Positive


class OrderExample(Section):
    """An order that is shown with the model's schedule."""

    market: str
    side: SideName
    share: PositiveFloat
    horizon: Positive
    risk_aversion: Annotated[float, Field(ge=0)]


class SchedulingTask(SeriesTask):
    """An order and a market's recent days -> each day's share of the order and of the volume."""

    kind: Literal["scheduling"]
    units: Literal["times"]
    data: PlainData
    prepare: SchedulingPrepare
    model: SchedulerModel
    train: Train
    export: SchedulingExport
    evaluate: SchedulingEvaluate
    serve: Serve
    examples: Annotated[list[OrderExample], Field(min_length=1)]

    @model_validator(mode="after")
    def _serves_what_it_trains(self) -> Self:
        if self.export.most_aversion > self.prepare.most_aversion:
            raise ValueError(
                f"export.most_aversion: the model is trained up to prepare.most_aversion, {self.prepare.most_aversion:g}"
            )
        return self


BLOCK = SchedulingTask
