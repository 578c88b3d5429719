"""Settings and paths of the study."""

from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, ValidationInfo, field_validator

from models.names import CellName, ContextName
from pipelines.kinds.translation.settings import Teacher
from pipelines.settings.section import Count, Positive, Section, Train
from pipelines.stage import StageError

NAME = "translation"
TASK = "fr-en"
SETTINGS = Path(__file__).with_name("params.yaml")
FOUND = Path("build/studies") / NAME  # one file and one folder of bundles per network
ATTENTIONS: tuple[ContextName, ...] = ("fixed", "bahdanau", "dot", "general", "concat", "multihead")  # the compared ones
CELLS: tuple[CellName, ...] = ("lstm", "gru")
SAMPLED = "sampled"

Beams = Annotated[int, Field(ge=1, le=20)]


class Sizes(Section):
    """Sizes shared by all networks."""

    embedding_size: Positive
    encoder_size: Positive
    hidden_size: Positive
    layers: Positive
    attention_size: Positive
    heads: Positive

    @field_validator("hidden_size")
    @classmethod
    def _fits_dot_products(cls, size: int, others: ValidationInfo) -> int:
        if size != 2 * others.data.get("encoder_size", 0):
            raise ValueError("a dot product needs it to be twice encoder_size")
        return size


class TranslationStudy(Section):
    """Settings of the study, see params.yaml in this folder."""

    seeds: Annotated[list[Count], Field(min_length=1)]
    model: Sizes
    train: Train
    sampling: Teacher
    resamples: Positive
    long: Positive
    bins: Annotated[list[Positive], Field(min_length=1)]
    beams: Annotated[list[Beams], Field(min_length=1)]
    heat_maps: Positive


class Network(NamedTuple):
    """One of the compared networks."""

    attention: ContextName
    cell: CellName
    sampled: bool = False  # trained with scheduled sampling instead of teacher forcing alone

    @classmethod
    def parse(cls, item: str) -> "Network":
        """Parse a name such as dot-gru or dot-gru-sampled. Raises StageError for an invalid name."""
        found = next((network for network in NETWORKS if str(network) == item), None)
        if found is None:
            raise StageError(f"{item!r} is not a network; use ATTENTION-CELL, such as dot-gru, or ATTENTION-CELL-{SAMPLED}")
        return found

    def __str__(self) -> str:
        return "-".join((self.attention, self.cell, *([SAMPLED] if self.sampled else [])))


NETWORKS = [Network(attention, cell, sampled) for attention in ATTENTIONS for cell in CELLS for sampled in (False, True)]
