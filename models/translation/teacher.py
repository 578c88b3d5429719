"""Schedules of scheduled sampling: how often a decoder in training reads the reference's unit instead of its own."""

import math
from dataclasses import dataclass

from models.names import ScheduleName


@dataclass(frozen=True)
class Schedule:
    """The share epsilon_i of reference units at training step i (Bengio et al. 2015, arXiv 1506.03099, section 2.4).

        constant         epsilon_i = k
        linear           epsilon_i = 1 - k i
        exponential      epsilon_i = k**i
        inverse_sigmoid  epsilon_i = k / (k + exp(i / k))

    and never less than `floor`. A constant share of 1 is teacher forcing (Williams and Zipser 1989).

    Args:
        kind: name of the schedule.
        k: 0 to 1 for the first three, at least 1 for the last.
        floor: 0 to 1.

    Raises:
        ValueError: k is out of its range.
    """

    kind: ScheduleName = "constant"
    k: float = 1.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        if self.kind == "inverse_sigmoid" and self.k < 1:
            raise ValueError(f"k of an inverse_sigmoid schedule must be at least 1, not {self.k}")
        if self.kind != "inverse_sigmoid" and not 0 <= self.k <= 1:
            raise ValueError(f"k of a {self.kind} schedule must be between 0 and 1, not {self.k}")

    @property
    def is_teacher_forcing(self) -> bool:
        """Whether the decoder never reads its own units."""
        return self.kind == "constant" and self.k == 1

    def share(self, step: int) -> float:
        """epsilon_i at training step i, counted from 0."""
        if self.kind == "constant":
            share = self.k
        elif self.kind == "linear":
            share = 1 - self.k * step
        elif self.kind == "exponential":
            share = self.k**step
        else:
            share = self.k / (self.k + math.exp(min(step / self.k, 700)))  # beyond 700 exp overflows
        return max(self.floor, share)
