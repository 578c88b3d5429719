"""Interruption of a training."""

from models.embeddings.passes import Reached


class Stopping:
    """Keeps a copy of a pass like a checkpoint file, and interrupts the training after the first one."""

    def __init__(self) -> None:
        self.kept: Reached | None = None

    def last(self) -> Reached | None:
        return self.kept

    def keep(self, reached: Reached) -> None:
        if self.kept is None:
            self.kept = Reached(reached.passes, {name: array.copy() for name, array in reached.arrays.items()})
            raise InterruptedError
