"""The output of the embed stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from models.text.one_hot import Embedding


class Model(Protocol):
    """A model whose vectors of a word depend on the context."""

    def save(self, folder: Path, /) -> None:
        """Write it to the vectors' folder."""


@dataclass(frozen=True)
class Made:
    """The result of a method.

    Attributes:
        vectors: of words.
        measured: metrics from training.
        contextual: the model of contextual vectors, if the method has one.
    """

    vectors: Embedding
    measured: Mapping[str, float] = field(default_factory=dict)
    contextual: Model | None = None

    def save(self, folder: Path) -> None:
        """Write the artefact, replacing an existing one."""
        self.vectors.save(folder)
        if self.contextual:
            self.contextual.save(folder)
