"""Data parallelism on the cores of one machine: ranks are single-threaded processes that share every batch.

Threads within each operation synchronize after each of them, hundreds of times per step, and wait for any thread that was
interrupted. Ranks synchronize once per step, to sum gradients in shared memory, so other load on the machine costs them little.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import BrokenBarrierError, Thread
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch import Tensor, nn

from models.loss import Loss
from pipelines.training.world import World

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

Result = TypeVar("Result")
VALUES = 8  # maximum number of values that `sum` accepts
LEAST_UNITS = 200  # of a batch, per rank: with fewer, matrix products become inefficient
FORK = multiprocessing.get_context("fork")  # a rank starts immediately, with the model and data in memory


def rank_count(cores: int, batch_units: int) -> int:
    """The fastest number of ranks for this number of cores."""
    return max(1, min(cores, batch_units // LEAST_UNITS))


class SharedMemory:
    """The link of ranks on one machine; see pipelines.training.world.Link.

    Args:
        model: the model that all ranks train; each has a copy with the same weights.
        ranks: number of ranks.
    """

    def __init__(self, model: nn.Module, ranks: int) -> None:
        size = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        self._gradients, self._mean = _shared(torch.zeros(ranks, size)), _shared(torch.zeros(size))
        self._numbers = _shared(torch.zeros(2, ranks, VALUES, dtype=torch.float64))
        self._own, self._turn, self._rank = torch.zeros(size), 0, 0
        self.barrier: Barrier = FORK.Barrier(ranks)

    def enter(self, rank: int) -> None:
        """Set the rank of this process."""
        self._rank = rank

    def joined(self, model: nn.Module, device: torch.device) -> nn.Module:  # noqa: ARG002 - part of Link
        """The model: ranks start as copies of one process."""
        return model

    def objective(self, loss: Loss, device: torch.device) -> Tensor:  # noqa: ARG002 - part of Link
        """The total loss: `average` divides."""
        return loss.total

    def average(self, model: nn.Module, units: int) -> None:
        """Each rank sums its part of all gradients; after a second synchronization, every rank has the whole."""
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._write(parameters)
        total = self.sum([units], self._mean.device)[0]
        ranks, size = self._gradients.shape
        part = slice(self._rank * size // ranks, (self._rank + 1) * size // ranks)
        torch.sum(self._gradients[:, part], 0, out=self._mean[part])
        self._mean[part] /= total
        self.barrier.wait()
        self._own.copy_(self._mean)  # clipping modifies it in place
        for parameter, gradient in zip(parameters, _views(self._own, parameters), strict=True):
            parameter.grad = gradient

    def sum(self, values: Sequence[float], device: torch.device) -> list[float]:  # noqa: ARG002 - part of Link
        """See Link. Two buffers alternate: a rank that is ahead writes to the one that no other rank can still be reading."""
        numbers = self._numbers[self._turn]
        self._turn = 1 - self._turn
        numbers[self._rank, : len(values)] = torch.tensor(values, dtype=torch.float64)
        self.barrier.wait()
        found: list[float] = numbers[:, : len(values)].sum(0).tolist()
        return found

    def _write(self, parameters: Sequence[nn.Parameter]) -> None:
        for parameter, place in zip(parameters, _views(self._gradients[self._rank], parameters), strict=True):
            if parameter.grad is None:
                place.zero_()
            else:
                place.copy_(parameter.grad)


def _shared(tensor: Tensor) -> Tensor:
    moved: Tensor = tensor.share_memory_()  # type: ignore[no-untyped-call]
    return moved


def _views(flat: Tensor, parameters: Sequence[nn.Parameter]) -> Iterator[Tensor]:
    """Consecutive parts of a flat tensor, in the parameters' shapes."""
    parts = torch.split(flat, [parameter.numel() for parameter in parameters])
    yield from (part.view_as(parameter) for part, parameter in zip(parts, parameters, strict=True))


def train_by_ranks(model: nn.Module, ranks: int, train: Callable[[World], Result]) -> Result:
    """Call `train` on all ranks, with this process as rank 0, and wait until all are done.

    Args:
        model: the model that they train.
        ranks: number of ranks, 2 or more.
        train: called with the rank's world; must do the same on each rank.

    Returns:
        the result of rank 0.

    Raises:
        ChildProcessError: a rank died, by a signal or an error that the others did not have.
    """
    link = SharedMemory(model, ranks)
    with _one_thread(), _others(link, ranks, train):
        try:
            return train(World(0, ranks, link=link))
        except BrokenBarrierError as error:
            raise ChildProcessError("a process of the training has died, perhaps for lack of memory") from error


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _others(link: SharedMemory, ranks: int, train: Callable[[World], object]) -> Iterator[None]:
    """Run ranks 1 and up. None of them outlives the block or this process."""
    alive, mine = FORK.Pipe(duplex=False)
    others = [FORK.Process(target=_rank, args=(rank, ranks, link, train, alive, mine), daemon=True) for rank in range(1, ranks)]
    for process in others:
        process.start()
    Thread(target=_watch, args=(others, link), daemon=True).start()
    try:
        yield
        for process in others:
            process.join()
    finally:
        for process in others:
            process.kill()
            process.join()
        mine.close()
        alive.close()


def _watch(others: Sequence[BaseProcess], link: SharedMemory) -> None:
    """Break the barrier if a rank fails, so that the others do not wait for it."""
    running = {process.sentinel: process for process in others}
    while running:
        for sentinel in cast(list[int], wait([*running])):
            ended = running.pop(sentinel)
            ended.join()  # the sentinel is ready slightly before the exit code
            if ended.exitcode:
                link.barrier.abort()


def _rank(
    rank: int, ranks: int, link: SharedMemory, train: Callable[[World], object], alive: Connection, mine: Connection
) -> None:
    """Main function of a rank's process. It ends with rank 0, which handles signals."""
    mine.close()
    Thread(target=_end_with, args=(alive,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    link.enter(rank)
    with suppress(ValueError, BrokenBarrierError):  # rank 0 has the same error and reports it
        train(World(rank, ranks, link=link, keeps=False))


def _end_with(alive: Connection) -> None:
    """End this process when the other end of the pipe closes, since rank 0 has ended."""
    with suppress(EOFError):
        alive.recv()
    os._exit(1)
