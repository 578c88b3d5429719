"""Tasks whose answer depends on inputs long before the end of a sequence. Sequences are generated on the fly."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Generator, Tensor
from torch.nn import functional

from pipelines.studies.gradients.settings import Tasks


class Task(Protocol):
    """Interface of a task.

    Attributes:
        inputs: d, size of x_t.
        outputs: K, size of an answer.
        chance: the best score without any memory.
    """

    inputs: int
    outputs: int
    chance: float

    def draw(self, batch: int, length: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """New sequences x [B, T, d], and their targets, [B]."""

    def loss(self, answers: Tensor, targets: Tensor) -> Tensor:
        """Loss of each sequence: [B, K], [B] -> [B]."""

    def score(self, answers: Tensor, targets: Tensor) -> float:
        """The score that decides whether the task is solved."""

    def solved(self, score: float) -> bool:
        """Whether this score is good enough."""


class Adding:
    """The sum of two marked numbers among T (Hochreiter and Schmidhuber 1997, experiment 4, as in arXiv 1504.00941, section 4.1).

    x_t is a number uniform on [0, 1] and a mark, 1 at one step of each half and 0 elsewhere. Always answering 1 has a mean
    squared error of 1/6.

    Args:
        error: mean squared error below which the task is solved.
    """

    inputs, outputs, chance = 2, 1, 1 / 6

    def __init__(self, error: float) -> None:
        self.error = error

    def draw(self, batch: int, length: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Numbers and marks [B, T, 2], and sums [B]."""
        numbers, half = torch.rand(batch, length, generator=generator), length // 2
        first = torch.randint(half, (batch, 1), generator=generator)
        second = torch.randint(half, length, (batch, 1), generator=generator)
        places = torch.cat((first, second), 1)  # [B, 2]
        marks = torch.zeros(batch, length).scatter_(1, places, 1.0)
        return torch.stack((numbers, marks), 2), numbers.gather(1, places).sum(1)

    def loss(self, answers: Tensor, targets: Tensor) -> Tensor:
        """Squared error."""
        return (answers[:, 0] - targets).square()

    def score(self, answers: Tensor, targets: Tensor) -> float:
        """Mean squared error."""
        return float(self.loss(answers, targets).mean())

    def solved(self, score: float) -> bool:
        """Whether the error is small enough."""
        return score < self.error


class Copying:
    """Delayed copy: recall the first of T symbols after T - 1 distractors (like arXiv 1511.06464, section 4.1).

    x_t is one-hot. The first symbol is one of K, the others are drawn from a separate set.

    Args:
        symbols: K.
        distractors: number of distractor symbols.
        accuracy: accuracy from which the task is solved.
    """

    def __init__(self, symbols: int, distractors: int, accuracy: float) -> None:
        self.inputs, self.outputs, self.chance = symbols + distractors, symbols, 1 / symbols
        self.accuracy = accuracy

    def draw(self, batch: int, length: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """One-hot symbols [B, T, d], and the first ones [B]."""
        ids = torch.randint(self.outputs, self.inputs, (batch, length), generator=generator)
        ids[:, 0] = torch.randint(self.outputs, (batch,), generator=generator)
        return functional.one_hot(ids, self.inputs).float(), ids[:, 0]

    def loss(self, answers: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy in nats."""
        return functional.cross_entropy(answers, targets, reduction="none")

    def score(self, answers: Tensor, targets: Tensor) -> float:
        """Accuracy."""
        return float((answers.argmax(1) == targets).float().mean())

    def solved(self, score: float) -> bool:
        """Whether the accuracy is high enough."""
        return score >= self.accuracy


def make_tasks(settings: Tasks) -> Mapping[str, Task]:
    """The study's tasks by name."""
    copying = Copying(settings.copy_symbols, settings.copy_distractors, settings.copy_accuracy)
    return {"adding": Adding(settings.adding_error), "copy": copying}
