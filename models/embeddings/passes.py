"""Checkpoints after each pass over a corpus: an interruption loses at most one pass."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]


class Reached(NamedTuple):
    """A checkpoint: the number of finished passes, and all arrays that training changes."""

    passes: int
    arrays: Arrays


class Keeper(Protocol):
    """Stores the last finished pass of a training."""

    def last(self) -> Reached | None:
        """The last stored checkpoint, of this process or an earlier one; None if there is none."""

    def keep(self, reached: Reached) -> None:
        """Store a finished pass. The arrays change again after the call."""


class NoKeeper:
    """Stores no checkpoints."""

    def last(self) -> Reached | None:
        """Return None."""
        return None

    def keep(self, reached: Reached) -> None:
        """Do nothing."""


NO_KEEPER: Keeper = NoKeeper()
