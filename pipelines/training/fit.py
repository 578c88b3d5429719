"""Train a model to the end, from where an earlier attempt was stopped if there was one."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from pipelines.settings.section import Train
from pipelines.stage import threads
from pipelines.store import Rows
from pipelines.training.checkpoints import save
from pipelines.training.hardware import Precision, keep_freed_memory, pick_accelerator, pick_precision, take_gpu
from pipelines.training.loop import Loop
from pipelines.training.ranks import rank_count, train_by_ranks
from pipelines.training.world import ALONE, World

LAST = "last.ckpt"
Row = dict[str, float]  # one epoch: epoch, train_loss, valid_loss, learning_rate


@dataclass(frozen=True)
class Job:
    """What to train on and how.

    Args:
        train: rows to learn from.
        valid: rows to choose the best epoch by.
        params: see params.yaml.
        seed: of the batch order and of dropout; the caller seeds the model's first weights.
        device: auto, cpu or cuda.
        precision: auto, fp32 or bf16.
        checkpoints: folder of this very job's checkpoints. A job with any other setting or data needs another folder.
    """

    train: Rows
    valid: Rows
    params: Train
    seed: int
    device: str
    precision: str
    checkpoints: Path


def fit(model: nn.Module, job: Job, report: Callable[[Row], None], world: World = ALONE) -> tuple[dict[str, Tensor], list[Row]]:
    """Train `model` by `job`. Killed at any moment and called again, it goes on after the last finished epoch, to the same end.

    Args:
        model: one of models/. It is left on the CPU, wherever it was trained, with the weights of the last epoch.
        job: how.
        report: called with the row of each finished epoch, also with those of a run that is being resumed. Its checkpoint is
            written by then.
        world: the ranks that train it together. Alone on a CPU, a process becomes ranks, as many as train fastest.

    Returns:
        the mean of the weights of the epochs with the lowest validation loss, on the CPU, and a row for each epoch.

    Raises:
        ValueError: the device is not there, or the loss is no longer a finite number.
        ChildProcessError: see train_by_ranks.
    """
    keep_freed_memory()
    accelerator = pick_accelerator(job.device)
    ranks = rank_count(threads(), job.params.batch_units) if world is ALONE and accelerator == "cpu" else 1
    precision = _precision(job, accelerator)  # picked once, so that ranks agree
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
    """One rank's part: all epochs that are left. Those that keep checkpoints report."""
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
    """The mean of several epochs' weights; what is no floating-point number is the first one's.

    Args:
        states: of one model, one or more.
    """
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if tensor.is_floating_point() else tensor
        for name, tensor in states[0].items()
    }


def _best(history: list[Row], count: int) -> list[Row]:
    """So many epochs with the lowest validation loss, the best first."""
    return sorted(history, key=lambda row: row["valid_loss"])[:count]


def _keep(loop: Loop, row: Row, best: list[Row], checkpoints: Path) -> None:
    """Write this epoch's weights if it is one of the best, and remove those of epochs that no longer are."""
    if row in best:
        save(loop.model.state_dict(), _weights(checkpoints, row))
    for path in set(checkpoints.glob("epoch-*.ckpt")) - {_weights(checkpoints, other) for other in best}:
        path.unlink()


def _weights(checkpoints: Path, row: Row) -> Path:
    return checkpoints / f"epoch-{int(row['epoch']):04}.ckpt"


def _precision(job: Job, accelerator: Literal["cpu", "cuda"]) -> Precision:
    """That in which the job began, if it did: measured anew, beside other work, another one may seem faster."""
    last = job.checkpoints / LAST
    if not last.exists():
        return pick_precision(job.precision, accelerator)
    began: Precision = torch.load(last, map_location="cpu", mmap=True)["precision"]
    return began


def _fabric(accelerator: Literal["cpu", "cuda"], precision: Precision, world: World) -> Fabric:
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces the precision, every time
    devices = [take_gpu() if world is ALONE else world.gpu] if accelerator == "cuda" else 1
    return Fabric(accelerator=accelerator, devices=devices, precision=precision)


def _resume(loop: Loop, last: Path, report: Callable[[Row], None]) -> list[Row]:
    """Put the loop where the checkpoint was written, if there is one, and report the epochs before it."""
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
    """Whether so many epochs have gone by since the best one."""
    return bool(history) and history[-1]["epoch"] - _best(history, 1)[0]["epoch"] >= patience
