"""Settings of a sweep: which values of which keys to try, and how many."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pipelines.settings.section import Count, Positive, Section


class Span(Section):
    """Numbers from `low` to `high`, both included: whole ones for a key that has whole numbers."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} has to be below high = {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low = {self.low} has to be above 0 where log is true")
        return self


class Choices(Section):
    """One of these."""

    choices: Annotated[list[bool | int | float | str], Field(min_length=2)]


class Sweep(Section):
    """All of a sweep's file. What `keys` holds is read by pipelines.sweeping.space, which knows the task."""

    task: Literal["surname", "names", "fr-en", "sentiment"]
    trials: Positive
    random_trials: Positive
    unpruned_epochs: Count
    seed: Count
    keys: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
