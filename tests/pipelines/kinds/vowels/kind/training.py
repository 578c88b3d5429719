"""No steps before or after training."""

from typing import Any


def begin(*_: Any) -> None:
    """Nothing to do."""


def finish(*_: Any) -> None:
    """Nothing to do."""
