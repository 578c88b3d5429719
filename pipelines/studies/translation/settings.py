"""What is compared, and where it is kept."""

from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, ValidationInfo, field_validator

from models.recurrent.names import CellName
from models.seq2seq.names import ContextName
from pipelines.settings.section import Count, Positive, Section, Train
from pipelines.settings.tasks import Teacher
from pipelines.stage import StageError

NAME = "translation"
TASK = "fr-en"
SETTINGS = Path(__file__).with_name("params.yaml")
FOUND = Path("build/studies") / NAME  # a file and a folder of bundles for each network
ATTENTIONS: tuple[ContextName, ...] = ("fixed", "bahdanau", "dot", "general", "concat", "multihead")  # which are compared
CELLS: tuple[CellName, ...] = ("lstm", "gru")
SAMPLED = "sampled"

Beams = Annotated[int, Field(ge=1, le=20)]


class Sizes(Section):
    """What all networks have in common."""

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


class Settings(Section):
    """See params.yaml beside this file."""

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
    """One of the networks compared."""

    attention: ContextName
    cell: CellName
    sampled: bool = False  # whether it was trained with scheduled sampling, not with the reference alone

    @classmethod
    def parse(cls, item: str) -> "Network":
        """From its name, such as dot-gru or dot-gru-sampled. Raises StageError for one that is none."""
        found = next((network for network in NETWORKS if str(network) == item), None)
        if found is None:
            raise StageError(f"{item!r} is no network; say ATTENTION-CELL, such as dot-gru, or ATTENTION-CELL-{SAMPLED}")
        return found

    def __str__(self) -> str:
        return "-".join((self.attention, self.cell, *([SAMPLED] if self.sampled else [])))


NETWORKS = [Network(attention, cell, sampled) for attention in ATTENTIONS for cell in CELLS for sampled in (False, True)]
