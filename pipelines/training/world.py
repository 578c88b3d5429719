"""The processes that train one model together, as one of them sees them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class World:
    """Ranks that share each batch and take each step together, from the same weights to the same weights.

    Their steps are those of one process with the same batches, but for the order in which numbers are added up, and for what is
    drawn at random in a step: each rank draws for its own rows, and so another number of them draws other dropout masks.

    Args:
        rank: of this process, counted from 0.
        size: number of processes. More than one are connected by torch's default process group.
        gpu: number of this process's GPU among those that it sees, where it trains on one.
    """

    rank: int = 0
    size: int = 1
    gpu: int = 0

    def share(self, batch: list[int]) -> list[int]:
        """This rank's rows of a batch, every `size`-th one; none where the batch has fewer rows than there are ranks."""
        return batch[self.rank :: self.size]

    def seed(self, seed: int) -> int:
        """Of this rank's draws, another one for each rank and each `seed`."""
        return seed * self.size + self.rank

    def joined(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model whose gradients are the mean of those of all ranks; its weights are those of rank 0."""
        if self.size == 1:
            return model
        # The buffers change in the same way on all ranks.
        return DistributedDataParallel(model.to(device), forward_sync_buffers=False, gradient_as_bucket_view=True)

    def mean(self, value: int, device: torch.device) -> Tensor | int:
        """The mean over ranks, which is left on the device: reading it would wait for it at every step."""
        if self.size == 1:
            return value
        mean = torch.full((), value / self.size, device=device)
        distributed.all_reduce(mean)
        return mean

    def sum(self, values: Sequence[float], device: torch.device) -> list[float]:
        """The sums over ranks."""
        if self.size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64, device=device)
        distributed.all_reduce(sums)
        found: list[float] = sums.tolist()
        return found


ALONE = World()
