"""Settings shared by all kinds of task; those specific to a kind are in its folder in pipelines.kinds."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipelines.settings.section import Count, Evaluate, Export, Moment, Section, Serve, Train

Size = Annotated[float, Field(gt=0)]
Texts = Annotated[list[str], Field(min_length=1)]


class TaskData(Section):
    """Data of a task: a data set, and the pretrained word vectors to start from, VECTORS/METHOD or none."""

    set: str
    vectors: str


class PlainData(TaskData):
    """Data of a task without pretrained vectors."""

    vectors: Literal["none"]


class Prepare(Section):
    """How rows become splits, see pipelines.data.splitting.splits.Rules."""

    limit_per_label: Count
    valid_size: Size
    test_size: Size
    train_rows: Count

    @field_validator("valid_size", "test_size")
    @classmethod
    def _is_a_share_or_a_number(cls, size: float) -> float:
        if (size >= 1 and size != int(size)) or 0.5 <= size < 1:
            raise ValueError("must be a share below 0.5, or a number of rows")
        return size


class Task(Section):
    """The block of one task. Its `kind` determines further keys; `units` is what its model reads."""

    kind: str
    units: str
    data: TaskData
    prepare: Section
    model: Section
    train: Train
    export: Export
    evaluate: Evaluate
    serve: Serve
    examples: list[Any]


class TextTask(Task):
    """A task that reads rows of texts."""

    prepare: Prepare


class SeriesPrepare(Section):
    """How series become splits, in chronological order: no earlier split contains data of a later one."""

    valid_from: Moment
    test_from: Moment

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.test_from <= self.valid_from:
            raise ValueError(f"test_from must be later than valid_from, which is {self.valid_from}")
        return self


class SeriesTask(Task):
    """A task that reads time series."""

    data: PlainData
    prepare: SeriesPrepare
