"""The training loop: training and validation of an epoch, and the state needed to resume."""

import math
import time
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from models.clipping import clip_gradient
from models.loss import Loss
from pipelines.progress import Progress
from pipelines.settings.section import Train
from pipelines.store import Alternating, Rows
from pipelines.training.batches import LengthBuckets, PaddedRows, loader
from pipelines.training.world import ALONE, World

AHEAD = 2  # processes that prefetch batches for a GPU


class Loop:
    """Trains any model whose forward takes a batch's columns and returns a Loss.

    The optimizer is AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) with a one-cycle schedule, stepped per batch. An epoch's
    batches and random numbers depend only on seed, epoch and step, so a resumed run has the same result as an uninterrupted one.

    Args:
        model: one of models/.
        train: training rows.
        valid: validation rows.
        params: see params.yaml.
        seed: seed of the batch order and of dropout.
        fabric: device and precision.
        world: the ranks that train it together.
    """

    def __init__(
        self, model: nn.Module, train: Rows, valid: Rows, params: Train, seed: int, fabric: Fabric, world: World = ALONE
    ) -> None:
        self.model, self.params, self.seed, self.fabric, self.world, self.step = model, params, seed, fabric, world, 0
        ahead = AHEAD if fabric.device.type == "cuda" else 0  # on a CPU, all cores are busy with training
        self._train, self._batches = train, loader(train, params.batch_units, seed, shuffle=True, ahead=ahead, world=world)
        self._held_out = loader(valid, params.batch_units, seed, shuffle=False, world=world)
        optimizer = torch.optim.AdamW(model.parameters(), params.learning_rate, weight_decay=params.weight_decay, fused=True)
        self._joined, self._optimizer = fabric.setup(world.link.joined(model, fabric.device), optimizer)
        self._schedule = _one_cycle(optimizer, params, params.epochs * len(self._batches))

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return float(self._schedule.get_last_lr()[0])

    def train(self, epoch: int) -> float:
        """Train for one epoch.

        Args:
            epoch: counted from 0.

        Returns:
            the mean training loss, in nats per unit.
        """
        self._joined.train()
        cast(LengthBuckets, self._batches.sampler).set_epoch(epoch)
        if isinstance(self._train, Alternating):
            self._train.set_epoch(epoch)
        total, units = torch.zeros((), dtype=torch.float64, device=self.fabric.device), 0
        steps, begun = len(self._batches), time.monotonic()

        def note() -> str:
            rate = units * self.world.size / (time.monotonic() - begun)
            return f"loss {float(total) / max(units, 1):.3f}, {rate:.0f} units/s"

        name = f"epoch {epoch + 1} of {self.params.epochs}"
        with Progress(name, self.params.epochs * steps, "steps", epoch * steps, shown=self.world.rank == 0) as progress:
            for batch in self._batches:
                loss = self._learn(batch)
                total += loss.total.detach()  # summed on the device: reading it would synchronize at every step
                units += loss.units
                progress.advance(1, note)
        return self._mean(float(total), units)

    def _learn(self, batch: dict[str, Tensor]) -> Loss:
        """Take one step. bf16 needs no loss scaling, so the gradient is clipped without unscaling."""
        seed_draws(self.world.seed(self.seed * 1_000_003 + self.step))
        loss = self._loss(batch)
        self.fabric.backward(self.world.link.objective(loss, self.fabric.device))
        self.world.link.average(self.model, loss.units)
        clip_gradient(self.model.parameters(), norm=self.params.clip_norm, value=self.params.clip_value)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._schedule.step()
        self.step += 1
        return loss

    @torch.no_grad()
    def validate(self) -> float:
        """The mean validation loss, in nats per unit."""
        self._joined.eval()
        losses = [self._loss(batch) for batch in self._held_out]
        return self._mean(math.fsum(float(loss.total) for loss in losses), sum(loss.units for loss in losses))

    def _mean(self, total: float, units: int) -> float:
        """The mean loss over the units of all ranks."""
        total, scored = self.world.link.sum((total, units), self.fabric.device)
        return total / scored

    def _loss(self, batch: dict[str, Tensor]) -> Loss:
        """The loss of this rank's rows. A rank without rows uses one with weight 0, since all ranks must step together."""
        columns = batch or PaddedRows(self._train)[[0]]
        loss: Loss = self._joined(**{name: column.to(self.fabric.device, non_blocking=True) for name, column in columns.items()})
        return loss if batch else Loss(loss.total * 0, 0)

    def state_dict(self) -> dict[str, Any]:
        """The state that changes in training."""
        optimizer, schedule = self._optimizer.state_dict(), self._schedule.state_dict()
        return {"model": self.model.state_dict(), "optimizer": optimizer, "schedule": schedule, "step": self.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state, to resume from it."""
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self.step = state["step"]


def _one_cycle(optimizer: torch.optim.Optimizer, params: Train, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
    """One-cycle schedule: the learning rate rises to its peak and falls to nearly 0 (Smith and Topin 2019, arXiv 1708.07120)."""
    share = params.warmup_share
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=params.learning_rate,
        total_steps=steps,
        pct_start=1.5 * share if share * steps == 1 else share,  # torch divides by the number of warm-up steps minus one
        cycle_momentum=False,
    )


def seed_draws(seed: int) -> None:
    """Seed the random generators of the CPU and of GPUs.

    torch.manual_seed also registers, with a stack trace, a seed for devices initialized later, which takes as long as a step of a
    small model.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
