"""Waiting for what other processes do: for as long as it takes on a machine that others share, and no longer."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 120
LOOK_S = 0.05
T = TypeVar("T")


def until(condition: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """What the condition gives, once that is true of it."""
    deadline = time.monotonic() + patience_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"it took too long: {what}"
        time.sleep(LOOK_S)
    return found
