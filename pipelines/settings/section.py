"""What the blocks of params.yaml have in common."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
PositiveFloat = Annotated[float, Field(gt=0)]


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
    limit: Count


class Export(Section):
    """What the exported model accepts."""

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
            raise ValueError(f"response_timeout_s has to be above deadline_s, which is {self.deadline_s}")
        return self
