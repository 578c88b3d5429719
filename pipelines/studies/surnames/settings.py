"""Settings and paths of the study."""

from pathlib import Path
from typing import Annotated, NamedTuple, get_args

from pydantic import Field

from models.names import CellName
from pipelines.settings.section import Count, Positive, Section
from pipelines.stage import StageError

NAME = "surnames"
SETTINGS = Path(__file__).with_name("params.yaml")
FOUND = Path("build/studies") / NAME
READINGS = {"one": False, "both": True}


class SurnamesStudy(Section):
    """Settings of the study, see params.yaml in this folder."""

    seeds: Annotated[list[Count], Field(min_length=2)]
    resamples: Positive


class Network(NamedTuple):
    """One of the compared networks."""

    cell: CellName
    reading: str
    layers: int

    @classmethod
    def parse(cls, item: str) -> "Network":
        """Parse a name such as gru-both-1. Raises StageError for an invalid name."""
        cell, reading, layers = ([*item.split("-"), "", ""])[:3]
        known = [name for name in get_args(CellName) if name == cell]
        if not known or reading not in READINGS or not layers.isdecimal():
            raise StageError(f"{item!r} is not a network; use CELL-READING-LAYERS, such as gru-both-1")
        return cls(known[0], reading, int(layers))

    def __str__(self) -> str:
        return f"{self.cell}-{self.reading}-{self.layers}"
