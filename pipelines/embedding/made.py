"""What the embed stage makes and writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from models.text.one_hot import Embedding


class Model(Protocol):
    """A model that gives more than one vector for a word."""

    def save(self, folder: Path, /) -> None:
        """Write it beside the vectors."""


@dataclass(frozen=True)
class Made:
    """What a method made.

    Attributes:
        vectors: of words.
        measured: what was measured on the way.
        contextual: the model of vectors in a context, of the one method that has it.
    """

    vectors: Embedding
    measured: Mapping[str, float] = field(default_factory=dict)
    contextual: Model | None = None

    def save(self, folder: Path) -> None:
        """Write the artefact, replacing one that is there."""
        self.vectors.save(folder)
        if self.contextual:
            self.contextual.save(folder)
