"""The processes that train one model together, as one of them sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from models.loss import Loss


class Link(Protocol):
    """How ranks exchange numbers."""

    def joined(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model with the same weights on all ranks."""

    def objective(self, loss: Loss, device: torch.device) -> Tensor:
        """What to differentiate on this rank, so that `average` leaves the gradient of the mean loss over all ranks' units."""

    def average(self, model: nn.Module, units: int) -> None:
        """Make each gradient that of all ranks. `units` are those that this rank's loss is a sum over."""

    def sum(self, values: Sequence[float], device: torch.device) -> list[float]:
        """The sums over ranks, the same on each."""


class ProcessGroup:
    """Ranks connected by torch's default process group, on one machine or several."""

    def joined(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model, whose gradients become the mean of those of all ranks on the way back."""
        # The buffers change in the same way on all ranks.
        return DistributedDataParallel(model.to(device), forward_sync_buffers=False, gradient_as_bucket_view=True)

    def objective(self, loss: Loss, device: torch.device) -> Tensor:
        """The loss over a rank's mean number of units, which stays on the device: reading it would wait for it at every step."""
        mean = torch.full((), loss.units / distributed.get_world_size(), device=device)
        distributed.all_reduce(mean)
        return loss.total / mean

    def average(self, model: nn.Module, units: int) -> None:
        """Nothing is left to do."""

    def sum(self, values: Sequence[float], device: torch.device) -> list[float]:
        """See Link."""
        sums = torch.tensor(values, dtype=torch.float64, device=device)
        distributed.all_reduce(sums)
        found: list[float] = sums.tolist()
        return found


class Alone:
    """One process."""

    def joined(self, model: nn.Module, device: torch.device) -> nn.Module:  # noqa: ARG002 - Link has it
        """The model."""
        return model

    def objective(self, loss: Loss, device: torch.device) -> Tensor:  # noqa: ARG002 - Link has it
        """The mean loss."""
        return loss.total / loss.units

    def average(self, model: nn.Module, units: int) -> None:
        """Nothing is to be done."""

    def sum(self, values: Sequence[float], device: torch.device) -> list[float]:  # noqa: ARG002 - Link has it
        """The values."""
        return list(values)


NO_LINK = Alone()


@dataclass(frozen=True)
class World:
    """Ranks that share each batch and take each step together, from the same weights to the same weights.

    Their steps are those of one process with the same batches, but for the order in which numbers are added up, and for what is
    drawn at random in a step: each rank draws for its own rows, and so another number of them draws other dropout masks.

    Attributes:
        rank: of this process, counted from 0.
        size: number of processes.
        gpu: number of this process's GPU among those that it sees, where it trains on one.
        link: to the others.
        keeps: whether this rank writes checkpoints.
    """

    rank: int = 0
    size: int = 1
    gpu: int = 0
    link: Link = NO_LINK
    keeps: bool = True

    def share(self, batch: list[int]) -> list[int]:
        """This rank's rows of a batch, every `size`-th one; none where the batch has fewer rows than there are ranks."""
        return batch[self.rank :: self.size]

    def seed(self, seed: int) -> int:
        """Of this rank's draws, another one for each rank and each `seed`."""
        return seed * self.size + self.rank


ALONE = World()


def connected(rank: int, size: int, gpu: int = 0) -> World:
    """The world of a rank that torch's default process group connects with the others, where there are any."""
    return World(rank, size, gpu, ProcessGroup() if size > 1 else NO_LINK)
