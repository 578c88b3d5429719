"""Settings of a sweep: the keys and values to try, and the number of trials."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from pipelines.settings.section import Count, Positive, Section


class Span(Section):
    """Numbers from `low` to `high`, both included; integers if the key's value is an integer."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} must be less than high = {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low = {self.low} must be positive if log is true")
        return self


class Choices(Section):
    """One of the listed values."""

    choices: Annotated[list[bool | int | float | str], Field(min_length=2)]


class Sweep(Section):
    """A whole sweep file. The values of `keys` depend on the task, and are parsed by pipelines.sweep.space."""

    task: str
    trials: Positive
    random_trials: Positive
    unpruned_epochs: Count
    seed: Count
    keys: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
