"""A no-op TorchServe handler, as a baseline for the cost of our own."""

from collections.abc import Sequence
from typing import Any


class TrivialHandler:
    """Gives every row the same answer."""

    def initialize(self, context: Any) -> None:
        """Load nothing."""

    def handle(self, rows: Sequence[Any], _context: Any) -> list[str]:
        """Return an empty JSON list for each row."""
        return ["[]"] * len(rows)
