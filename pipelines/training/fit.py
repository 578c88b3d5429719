"""Train a model to the end, from where an earlier attempt was stopped if there was one."""

import logging
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from torch import Tensor, nn

from pipelines.settings.section import Train
from pipelines.store import Rows
from pipelines.training.batches import loader
from pipelines.training.hardware import keep_freed_memory, pick_accelerator, pick_precision
from pipelines.training.module import Row, TrainingModule


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


def fit(model: nn.Module, job: Job, report: Callable[[Row], None]) -> tuple[dict[str, Tensor], list[Row]]:
    """Train `model` by `job`. Killed at any moment and called again, it goes on after the last finished epoch, to the same end.

    Returns:
        the weights of the epoch with the lowest validation loss, on the CPU, and a row for each epoch.
    """
    keep_freed_memory()
    warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)  # Lightning's call into torch
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # it announces what it did not find, every time
    module = TrainingModule(model, job.params, job.seed, report)
    keeper = ModelCheckpoint(
        job.checkpoints, "best", "valid_loss", save_last=True, save_on_train_epoch_end=True, enable_version_counter=False
    )
    stopper = EarlyStopping("valid_loss", patience=job.params.patience, check_on_train_epoch_end=True)
    units = job.params.batch_units
    last = job.checkpoints / "last.ckpt"
    _trainer(job, [stopper, keeper]).fit(
        module,
        loader(job.train, units, job.seed, shuffle=True),
        loader(job.valid, units, job.seed, shuffle=False),
        ckpt_path=last if last.exists() else None,
    )
    best = torch.load(job.checkpoints / "best.ckpt", map_location="cpu")["state_dict"]
    return {name.removeprefix("model."): weight for name, weight in best.items()}, module.history


def _trainer(job: Job, callbacks: list[Callback]) -> lightning.Trainer:
    accelerator, watched = pick_accelerator(job.device), sys.stderr.isatty()
    return lightning.Trainer(
        accelerator=accelerator,
        devices=1,
        precision=pick_precision(job.precision, accelerator),
        max_epochs=job.params.epochs,
        num_sanity_val_steps=0,
        # Not the bar that Lightning prefers: its own thread redraws it all the time, and takes the core from the training.
        callbacks=[*callbacks, TQDMProgressBar(refresh_rate=20)] if watched else callbacks,
        enable_progress_bar=watched,
        logger=False,
        enable_model_summary=False,
    )
