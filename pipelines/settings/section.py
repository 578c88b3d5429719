"""Types shared by the blocks of params.yaml."""

from datetime import UTC, date, datetime
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

NONE = "none"  # used instead of a name: no such thing
Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
PositiveFloat = Annotated[float, Field(gt=0)]


def _as_date(value: object) -> object:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError("write a date as 2018-12-31") from error


def _as_moment(value: object) -> object:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError("write a date as 2018-12-31, or with a time of day as 2018-12-31T06:00") from error
    if isinstance(moment, date) and not isinstance(moment, datetime):
        return datetime(moment.year, moment.month, moment.day)
    return moment.astimezone(UTC).replace(tzinfo=None) if isinstance(moment, datetime) and moment.tzinfo else moment


# Written in quotes: DVC does not accept YAML dates.
Date = Annotated[date, BeforeValidator(_as_date)]
Moment = Annotated[datetime, BeforeValidator(_as_moment)]  # a date means its midnight; naive, like the times of series


class Section(BaseModel):
    """A block of params.yaml: no unknown key, no silent conversion, no change after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Train(Section):
    """The training loop, the same for every task."""

    epochs: Positive
    batch_units: Positive
    learning_rate: PositiveFloat
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_share: Annotated[float, Field(gt=0, lt=1)]
    clip_norm: PositiveFloat
    clip_value: PositiveFloat
    patience: Positive
    average: Positive


class Evaluate(Section):
    """Measuring on the test split."""

    batch_size: Positive


class EvaluateTexts(Evaluate):
    """Measuring on the first `limit` texts of the test split; 0 means all of them."""

    limit: Count


class Export(Section):
    """Limits of the exported model's inputs."""

    max_length: Positive


class Serve(Section):
    """TorchServe's settings for one model."""

    workers: Positive
    batch_size: Positive
    max_batch_delay_ms: Positive
    deadline_s: Positive
    response_timeout_s: Positive

    @model_validator(mode="after")
    def _answers_before_it_is_killed(self) -> Self:
        if self.response_timeout_s <= self.deadline_s:
            raise ValueError(f"response_timeout_s must be greater than deadline_s, which is {self.deadline_s}")
        return self
