"""The study's settings, see params.yaml beside this file, and what its stages share."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from models.recurrent.names import CellName
from pipelines import paths
from pipelines.params import read_settings
from pipelines.settings.section import Count, Positive, PositiveFloat, Section

NAME = "gradients"
FILE = Path(__file__).with_name("params.yaml")
PLOTS = paths.PLOTS / "studies" / NAME
CELLS: tuple[CellName, ...] = ("rnn", "lstm", "gru")  # which are compared

Length = Annotated[int, Field(ge=4)]  # T


class Tasks(Section):
    """What the sequences are like, and when a task counts as solved."""

    adding_error: PositiveFloat
    copy_accuracy: Annotated[float, Field(gt=0, le=1)]
    copy_symbols: Annotated[int, Field(ge=2)]
    copy_distractors: Positive


class Train(Section):
    """How every network of the study is trained."""

    hidden_size: Positive
    batch_size: Positive
    learning_rates: dict[CellName, PositiveFloat]
    clip_norm: PositiveFloat
    clip_value: PositiveFloat


class Memory(Section):
    """Which networks solve which task."""

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
    """The gradient by distance, and in training."""

    length: Length
    seed: Count
    steps: Positive
    window: Positive
    sequences: Positive
    exploding: Exploding


class HiddenStates(Section):
    """The heat map."""

    names: Annotated[dict[str, str], Field(min_length=1)]
    units: Positive


class Settings(Section):
    """All of params.yaml."""

    processes: Positive
    tasks: Tasks
    train: Train
    memory: Memory
    norms: Norms
    states: HiddenStates


def load_settings() -> Settings:
    """Read and check the file. Raises StageError like `pipelines.params.read_settings`."""
    return read_settings(FILE, Settings)
