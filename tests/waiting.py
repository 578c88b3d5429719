"""Waiting for other processes, with a time limit that suits a shared machine."""

import time
from collections.abc import Callable
from typing import Literal, TypeVar

PATIENCE_S = 120
LOOK_S = 0.05
T = TypeVar("T")


def until(condition: Callable[[], T | Literal[False] | None], what: str, patience_s: float = PATIENCE_S) -> T:
    """Wait until the condition returns something true, and return that."""
    deadline = time.monotonic() + patience_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"it took too long: {what}"
        time.sleep(LOOK_S)
    return found
