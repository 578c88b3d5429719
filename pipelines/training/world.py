"""The processes that train one model together, from the point of view of one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from models.loss import Loss


class Link(Protocol):
    """Communication between ranks."""

    def joined(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model with the same weights on all ranks."""

    def objective(self, loss: Loss, device: torch.device) -> Tensor:
        """The value to differentiate on this rank, such that `average` gives the gradient of the mean loss over all units."""

    def average(self, model: nn.Module, units: int) -> None:
        """Replace each gradient by that over all ranks. `units` is the number of units in this rank's loss."""

    def sum(self, values: Sequence[float], device: torch.device) -> list[float]:
        """The sums over ranks, the same on each."""


class ProcessGroup:
    """Ranks connected by torch's default process group, on one machine or several."""

    def joined(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model, whose gradients are averaged over all ranks in the backward pass."""
        # Buffers change in the same way on all ranks.
        return DistributedDataParallel(model.to(device), forward_sync_buffers=False, gradient_as_bucket_view=True)

    def objective(self, loss: Loss, device: torch.device) -> Tensor:
        """The loss divided by the ranks' mean number of units, which stays on the device to avoid a synchronization per step."""
        mean = torch.full((), loss.units / distributed.get_world_size(), device=device)
        distributed.all_reduce(mean)
        return loss.total / mean

    def average(self, model: nn.Module, units: int) -> None:
        """No-op: the backward pass has averaged the gradients."""

    def sum(self, values: Sequence[float], device: torch.device) -> list[float]:
        """See Link."""
        sums = torch.tensor(values, dtype=torch.float64, device=device)
        distributed.all_reduce(sums)
        found: list[float] = sums.tolist()
        return found


class Alone:
    """The link of a single process."""

    def joined(self, model: nn.Module, device: torch.device) -> nn.Module:  # noqa: ARG002 - part of Link
        """The model."""
        return model

    def objective(self, loss: Loss, device: torch.device) -> Tensor:  # noqa: ARG002 - part of Link
        """The mean loss."""
        return loss.total / loss.units

    def average(self, model: nn.Module, units: int) -> None:
        """No-op."""

    def sum(self, values: Sequence[float], device: torch.device) -> list[float]:  # noqa: ARG002 - part of Link
        """The values."""
        return list(values)


NO_LINK = Alone()


@dataclass(frozen=True)
class World:
    """Ranks that share each batch and take each step together, so that their weights stay the same.

    The steps equal those of one process with the same batches, except for the order of summation and for random numbers within a
    step: each rank draws dropout masks for its own rows, so the masks depend on the number of ranks.

    Attributes:
        rank: rank of this process, counted from 0.
        size: number of processes.
        gpu: index of this process's GPU among the visible ones, if it trains on one.
        link: link to the other ranks.
        keeps: whether this rank writes checkpoints.
    """

    rank: int = 0
    size: int = 1
    gpu: int = 0
    link: Link = NO_LINK
    keeps: bool = True

    def share(self, batch: list[int]) -> list[int]:
        """This rank's rows of a batch, every `size`-th one; may be empty if the batch has fewer rows than there are ranks."""
        return batch[self.rank :: self.size]

    def seed(self, seed: int) -> int:
        """Seed of this rank's random numbers, different for each rank and each `seed`."""
        return seed * self.size + self.rank


ALONE = World()


def connected(rank: int, size: int, gpu: int = 0) -> World:
    """The world of a rank, connected with the others by torch's default process group if there are any."""
    return World(rank, size, gpu, ProcessGroup() if size > 1 else NO_LINK)
