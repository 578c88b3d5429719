"""Recurrent models: `python -m benchmarks.recurrent [loop] [full]`, without arguments both, after `make repro`.

- loop: examples a second of the common training loop over those of a loop in plain torch that does the least: the same model,
  batches, precision, optimizer, clipping, schedule and validation, but no checkpoint, record, callback or resuming.
- full: the names of the profile `full`, in a fresh clone: macro-F1 on surnames of 18 languages, and nats a character on
  makemore's first names. Downloads both sets (DATA_MIRROR can stand in for their addresses).
"""

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from benchmarks.parts import run_parts
from benchmarks.pipeline import fresh_clone
from models.clipping import clip_gradient
from models.loss import Loss
from pipelines.models import build_model
from pipelines.params import load_params
from pipelines.paths import PREPARED
from pipelines.record import Figures
from pipelines.store import Split
from pipelines.training.batches import loader
from pipelines.training.fit import Job, fit
from pipelines.training.hardware import keep_freed_memory, pick_accelerator, pick_precision

PACKAGES = ("lightning", "torch")
TASKS = ("surname", "names")
EPOCHS, REPETITIONS = 2, 3


def job_of(task: str, checkpoints: Path) -> Job:
    """A short training of a task, with its own settings."""
    params, prepared = load_params(), PREPARED / task
    train = params.task(task).train.model_copy(update={"epochs": EPOCHS})
    splits = Split(prepared / "train"), Split(prepared / "valid")
    return Job(*splits, train, params.seed, params.device, params.precision, checkpoints)


def fresh_model(task: str) -> nn.Module:
    """The task's model with the same first weights each time."""
    params = load_params()
    torch.manual_seed(params.seed)
    return build_model(params.task(task), PREPARED / task)


def bare_loop(model: nn.Module, job: Job) -> None:
    """Train as `fit` does, in plain torch."""
    device = pick_accelerator(job.device)
    mixed = pick_precision(job.precision, device) == "bf16-mixed"
    model.to(device)
    settings, batches = job.params, loader(job.train, job.params.batch_units, job.seed, shuffle=True)
    held_out = loader(job.valid, settings.batch_units, job.seed, shuffle=False)
    optimizer = torch.optim.AdamW(model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    steps = settings.epochs * len(batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, steps, pct_start=settings.warmup_share, cycle_momentum=False
    )

    def loss_of(batch: dict[str, torch.Tensor]) -> Loss:
        with torch.autocast(device, torch.bfloat16, enabled=mixed):
            loss: Loss = model(**{name: column.to(device) for name, column in batch.items()})
        return loss

    for _ in range(settings.epochs):
        model.train()
        for batch in batches:
            optimizer.zero_grad()
            loss = loss_of(batch)
            torch.autograd.backward(loss.total / loss.units)
            clip_gradient(model.parameters(), norm=settings.clip_norm, value=settings.clip_value)
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            sum(float(loss_of(batch).total) for batch in held_out)


def common_loop(model: nn.Module, job: Job) -> None:
    """Train by the stage's own loop."""
    fit(model, job, lambda _: None)


@contextmanager
def stopwatch(seconds: list[float]) -> Iterator[None]:
    """Append what the block takes."""
    start = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - start)


def time_loops() -> Figures:
    """The ratio for each task, of the best of REPETITIONS each, in turn; and the smallest of the ratios."""
    keep_freed_memory()
    ways: dict[str, Callable[[nn.Module, Job], None]] = {"bare": bare_loop, "common": common_loop}
    figures: Figures = {}
    for task in TASKS:
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(REPETITIONS):
            for way, train in ways.items():
                with TemporaryDirectory() as scratch:
                    job, model = job_of(task, Path(scratch)), fresh_model(task)
                    with stopwatch(seconds[way]):
                        train(model, job)
        best = {way: min(taken) for way, taken in seconds.items()}
        examples = EPOCHS * len(job_of(task, Path()).train)
        figures |= {f"{task}_{way}_examples_s": examples / taken for way, taken in best.items()}
        figures[f"{task}_train_over_bare_loop"] = best["bare"] / best["common"]
    figures["train_over_bare_loop"] = min(figures[f"{task}_train_over_bare_loop"] for task in TASKS)
    return figures


def full_names() -> Figures:
    """Both names tasks of the profile `full`, from their raw data."""
    with fresh_clone() as clone:
        stages = "STAGES=evaluate@surname evaluate@names"
        command = ["make", "repro", "PROFILE=full", stages, f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.installed"]
        subprocess.run(command, cwd=clone, check=True)  # noqa: S603
        surname, names = (json.loads((clone / f"metrics/{task}.json").read_text(encoding="utf-8")) for task in TASKS)
    return {
        "names18_macro_f1": surname["macro_f1"],
        "names18_accuracy": surname["accuracy"],
        "names18_baseline_macro_f1": surname["baseline_macro_f1"],
        "makemore_nats_per_char": names["bits_per_char"] * math.log(2),
        "makemore_baseline_nats_per_char": names["baseline_bits_per_char"] * math.log(2),
    }


PARTS: dict[str, Callable[[], Figures]] = {"loop": time_loops, "full": full_names}


if __name__ == "__main__":
    run_parts("recurrent", "Measure recurrent models and their training.", PARTS, PACKAGES)
