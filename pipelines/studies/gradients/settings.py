"""Settings of the study, see params.yaml in this folder, and constants shared by its stages."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from models.names import CellName
from pipelines import paths
from pipelines.settings.params import read_settings
from pipelines.settings.section import Count, Positive, PositiveFloat, Section

NAME = "gradients"
FILE = Path(__file__).with_name("params.yaml")
PLOTS = paths.PLOTS / "studies" / NAME
CELLS: tuple[CellName, ...] = ("rnn", "lstm", "gru")  # the compared cells

Length = Annotated[int, Field(ge=4)]  # T


class Tasks(Section):
    """Parameters of the sequences, and when a task counts as solved."""

    adding_error: PositiveFloat
    copy_accuracy: Annotated[float, Field(gt=0, le=1)]
    copy_symbols: Annotated[int, Field(ge=2)]
    copy_distractors: Positive


class Train(Section):
    """Training of all networks of the study."""

    hidden_size: Positive
    batch_size: Positive
    learning_rates: dict[CellName, PositiveFloat]
    clip_norm: PositiveFloat
    clip_value: PositiveFloat


class Memory(Section):
    """Settings of the stage `memory`: which networks solve which task."""

    seeds: Annotated[list[Count], Field(min_length=1)]
    lengths: Annotated[list[Length], Field(min_length=1)]
    steps: Positive
    check_every: Positive
    held_out: Positive


class Exploding(Section):
    """An RNN whose gradients explode."""

    gain: PositiveFloat
    learning_rate: PositiveFloat


class Norms(Section):
    """Settings of the stage `norms`: the gradient by distance, and in training."""

    length: Length
    seed: Count
    steps: Positive
    window: Positive
    sequences: Positive
    exploding: Exploding


class HiddenStates(Section):
    """Settings of the heat map of the stage `states`."""

    names: Annotated[dict[str, str], Field(min_length=1)]
    units: Positive


class GradientsStudy(Section):
    """All of params.yaml."""

    processes: Positive
    tasks: Tasks
    train: Train
    memory: Memory
    norms: Norms
    states: HiddenStates


def load_settings() -> GradientsStudy:
    """Read and check the file. Raises StageError like `pipelines.settings.params.read_settings`."""
    return read_settings(FILE, GradientsStudy)
