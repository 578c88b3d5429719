"""Training on sequences that are drawn as they are needed: there are no epochs, and nothing is seen twice."""

import math
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Literal, NamedTuple

import torch
from torch import Generator
from torch.optim import Adam, Optimizer

from models.clipping import clip_gradient
from models.readout import LastStateReadout
from models.recurrent.initialization import SIGNS, chrono_
from models.recurrent.names import CellName
from pipelines.studies.gradients.settings import Train
from pipelines.studies.gradients.tasks import Task

Clipping = Literal["none", "norm", "value"]
Stream = Literal["training", "held out"]
STREAMS: Mapping[Stream, int] = {"training": 0, "held out": 1}


class Step(NamedTuple):
    """A step of training."""

    number: int  # from 1
    loss: float  # mean over the batch, before the step
    norm: float  # of the gradient before clipping


def stream(seed: int, name: Stream) -> Generator:
    """Random numbers of a run; no two runs and no two streams have the same."""
    return torch.Generator().manual_seed(len(STREAMS) * seed + STREAMS[name])


def new_model(cell: CellName, task: Task, hidden_size: int, seed: int, *, remember: int | None) -> LastStateReadout:
    """A network with random weights.

    Args:
        cell: rnn, lstm or gru.
        task: gives the outer sizes.
        hidden_size: H.
        seed: of the weights.
        remember: the steps that chrono initialization sets the gates' biases for. None, or a cell without gates: torch's own
            initialization, uniform on +-1/sqrt(H).
    """
    torch.manual_seed(seed)
    model = LastStateReadout(cell, task.inputs, hidden_size, task.outputs)
    if remember is not None and cell in SIGNS:
        chrono_(model.recurrent, remember)
    return model


def train(
    model: LastStateReadout,
    task: Task,
    length: int,
    settings: Train,
    seed: int,
    clipping: Clipping = "norm",
    optimizer: Optimizer | None = None,
) -> Iterator[Step]:
    """Train for as long as the caller goes on.

    Args:
        model: is changed in place.
        task: what to draw.
        length: T.
        settings: see params.yaml.
        seed: of the sequences.
        clipping: of the gradient.
        optimizer: of the model. If None, Adam (Kingma and Ba 2015, arXiv 1412.6980) at the learning rate of the model's cell.
    """
    if optimizer is None:
        optimizer = Adam(model.parameters(), settings.learning_rates[model.recurrent.cell], fused=True)
    norm = settings.clip_norm if clipping == "norm" else math.inf
    value = settings.clip_value if clipping == "value" else math.inf
    draws = stream(seed, "training")
    for number in count(1):
        x, targets = task.draw(settings.batch_size, length, draws)
        loss = task.loss(model(x), targets).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        before = clip_gradient(model.parameters(), norm=norm, value=value)
        optimizer.step()
        yield Step(number, float(loss.detach()), float(before))
