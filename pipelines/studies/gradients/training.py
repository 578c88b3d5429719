"""Training on sequences generated on the fly: there are no epochs, and no sequence is seen twice."""

import math
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Literal, NamedTuple

import torch
from torch import Generator
from torch.optim import Adam, Optimizer

from models.clipping import clip_gradient
from models.names import CellName
from models.readout import LastStateReadout
from models.recurrent.initialization import SIGNS, chrono_
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
    """Random numbers of a run, different for each run and each stream."""
    return torch.Generator().manual_seed(len(STREAMS) * seed + STREAMS[name])


def new_model(cell: CellName, task: Task, hidden_size: int, seed: int, *, remember: int | None) -> LastStateReadout:
    """A network with random weights.

    Args:
        cell: rnn, lstm or gru.
        task: determines the input and output sizes.
        hidden_size: H.
        seed: seed of the weights.
        remember: number of steps for chrono initialization of the gates' biases. If None, or for a cell without gates, torch's
            default initialization is used, uniform on +-1/sqrt(H).
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
    """Train until the caller stops iterating.

    Args:
        model: modified in place.
        task: task to draw sequences from.
        length: T.
        settings: see params.yaml.
        seed: seed of the sequences.
        clipping: kind of gradient clipping.
        optimizer: if None, Adam (Kingma and Ba 2015, arXiv 1412.6980) with the learning rate of the model's cell.
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
