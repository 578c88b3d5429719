"""The least that a TorchServe handler can do; what is slower than it is ours."""

from collections.abc import Sequence
from typing import Any


class TrivialHandler:
    """Answers every row alike."""

    def initialize(self, context: Any) -> None:
        """Nothing to load."""

    def handle(self, rows: Sequence[Any], _context: Any) -> list[str]:
        """An empty list for each row."""
        return ["[]"] * len(rows)
