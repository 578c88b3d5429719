"""Train a model to the end, resuming from an earlier attempt's checkpoint if it exists."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from torch import Tensor, nn

from pipelines.settings.section import Train
from pipelines.stage import threads
from pipelines.store import Rows
from pipelines.training.checkpoints import save
from pipelines.training.hardware import Precision, keep_freed_memory, pick_accelerator, pick_precision, take_gpu
from pipelines.training.loop import Loop
from pipelines.training.ranks import rank_count, train_by_ranks
from pipelines.training.work import Row
from pipelines.training.world import ALONE, World

LAST = "last.ckpt"


class KeptInputs(MixedPrecision):
    """Mixed precision that keeps the model's inputs in their precision.

    Fabric's MixedPrecision rounds inputs to bf16, with three significant digits. This would affect variances, the steps of a
    series, and the targets of the loss.
    """

    def convert_input(self, data: Any) -> Any:
        """Return the input unchanged."""
        return data


@dataclass(frozen=True)
class Job:
    """Data and settings of a training job.

    Attributes:
        train: training rows.
        valid: validation rows, to choose the best epoch.
        params: see params.yaml.
        seed: seed of the batch order and of dropout; the caller seeds the model's initial weights.
        device: auto, cpu or cuda.
        precision: auto, fp32 or bf16.
        checkpoints: folder of this job's checkpoints. A job with different settings or data needs another folder.
    """

    train: Rows
    valid: Rows
    params: Train
    seed: int
    device: str
    precision: str
    checkpoints: Path


def fit(model: nn.Module, job: Job, report: Callable[[Row], None], world: World = ALONE) -> tuple[dict[str, Tensor], list[Row]]:
    """Train `model`. After a kill at any time, a new call resumes after the last finished epoch, with the same final result.

    Args:
        model: one of models/. Afterwards it is on the CPU, with the weights of the last epoch.
        job: data and settings.
        report: called with the row of each finished epoch (epoch, train_loss, valid_loss and learning_rate), after its checkpoint
            is written; for a resumed run also with the earlier rows.
        world: the ranks that train it together. A single process on a CPU starts the number of ranks that is fastest.

    Returns:
        the mean of the weights of the epochs with the lowest validation loss, on the CPU, and a row per epoch.

    Raises:
        ValueError: the device does not exist, or the loss is no longer finite.
        ChildProcessError: see train_by_ranks.
    """
    keep_freed_memory()
    accelerator = pick_accelerator(job.device)
    ranks = rank_count(threads(), job.params.batch_units) if world is ALONE and accelerator == "cpu" else 1
    precision = _precision(job, accelerator)  # chosen once, so that ranks agree
    if ranks > 1:
        history = train_by_ranks(model, ranks, lambda one: _epochs(model, job, report, one, accelerator, precision))
    else:
        history = _epochs(model, job, report, world, accelerator, precision)
    model.cpu()
    best = [torch.load(_weights(job.checkpoints, row), map_location="cpu") for row in _best(history, job.params.average)]
    return average(best), history


def _epochs(
    model: nn.Module,
    job: Job,
    report: Callable[[Row], None],
    world: World,
    accelerator: Literal["cpu", "cuda"],
    precision: Precision,
) -> list[Row]:
    """Train the remaining epochs as one rank. Only ranks that write checkpoints report."""
    loop = Loop(model, job.train, job.valid, job.params, job.seed, _fabric(accelerator, precision, world), world)
    last = job.checkpoints / LAST
    report = report if world.keeps else lambda _: None
    history = _resume(loop, last, report)
    while len(history) < job.params.epochs and not _out_of_patience(history, job.params.patience):
        row = _epoch(loop, len(history))
        history.append(row)
        if world.keeps:
            _keep(loop, row, _best(history, job.params.average), job.checkpoints)
            save({"loop": loop.state_dict(), "history": history, "precision": precision}, last)
        report(row)
    return history


def average(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of several epochs' weights; tensors that are not floating-point are those of the first.

    Args:
        states: one or more states of one model.
    """
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if tensor.is_floating_point() else tensor
        for name, tensor in states[0].items()
    }


def _best(history: list[Row], count: int) -> list[Row]:
    """The `count` epochs with the lowest validation loss, the best first."""
    return sorted(history, key=lambda row: row["valid_loss"])[:count]


def _keep(loop: Loop, row: Row, best: list[Row], checkpoints: Path) -> None:
    """Write this epoch's weights if it is among the best, and remove those of epochs that no longer are."""
    if row in best:
        save(loop.model.state_dict(), _weights(checkpoints, row))
    for path in set(checkpoints.glob("epoch-*.ckpt")) - {_weights(checkpoints, other) for other in best}:
        path.unlink()


def _weights(checkpoints: Path, row: Row) -> Path:
    return checkpoints / f"epoch-{int(row['epoch']):04}.ckpt"


def _precision(job: Job, accelerator: Literal["cpu", "cuda"]) -> Precision:
    """The precision in which the job started, if it did: a new measurement under load may choose another one."""
    last = job.checkpoints / LAST
    if not last.exists():
        return pick_precision(job.precision, accelerator)
    began: Precision = torch.load(last, map_location="cpu", mmap=True)["precision"]
    return began


def _fabric(accelerator: Literal["cpu", "cuda"], precision: Precision, world: World) -> Fabric:
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it logs the precision every time
    devices = [take_gpu() if world is ALONE else world.gpu] if accelerator == "cuda" else 1
    if precision == "bf16-mixed":
        return Fabric(accelerator=accelerator, devices=devices, plugins=KeptInputs(precision, accelerator))
    return Fabric(accelerator=accelerator, devices=devices, precision=precision)


def _resume(loop: Loop, last: Path, report: Callable[[Row], None]) -> list[Row]:
    """Restore the loop from the checkpoint, if it exists, and report the epochs before it."""
    if not last.exists():
        return []
    checkpoint: dict[str, Any] = torch.load(last, map_location=loop.fabric.device)
    loop.load_state_dict(checkpoint["loop"])
    history: list[Row] = checkpoint["history"]
    for row in history:
        report(row)
    return history


def _epoch(loop: Loop, epoch: int) -> Row:
    row = {
        "epoch": epoch + 1.0,
        "train_loss": loop.train(epoch),
        "valid_loss": loop.validate(),
        "learning_rate": loop.learning_rate,
    }
    if not all(map(math.isfinite, row.values())):
        raise ValueError(f"the loss is not finite in epoch {epoch + 1}: lower learning_rate, or clip the gradient more")
    return row


def _out_of_patience(history: list[Row], patience: int) -> bool:
    """Whether `patience` epochs have passed since the best one."""
    return bool(history) and history[-1]["epoch"] - _best(history, 1)[0]["epoch"] >= patience
