"""A job on the cluster, and each rank's part in it. This module imports Ray, and is imported where Ray is known to be."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import ray.train
import torch
from ray.train import Checkpoint
from ray.train.torch import get_device
from ray.train.v2.api.config import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.api.result import Result
from ray.train.v2.torch.torch_trainer import TorchTrainer
from safetensors.torch import save

from pipelines.params import Params
from pipelines.training.begin import begin
from pipelines.training.fit import Row, fit
from pipelines.training.outcome import Outcome
from pipelines.training.world import World, connected

FAILURES = 3  # how often workers may be lost before the job is given up
EPOCHS = "epochs"  # of a checkpoint's metadata


def run_job(name: str, task: str, params: Params, progress: Any) -> Outcome:
    """Train by as many workers as there is room for, up to those of the params, from the job's last checkpoint if there is one.

    It waits until at least one of them has room. Where workers are lost it goes on with the others.

    Args:
        name: of the job; another one with this name goes on with its checkpoints.
        task: to train.
        params: see params.yaml.
        progress: handle of a Progress.

    Raises:
        TrainingFailedError: workers failed more than FAILURES times.
    """
    cluster = params.cluster
    trainer = TorchTrainer(
        lambda: train_rank(task, params, progress),
        scaling_config=ScalingConfig(
            num_workers=(1, cluster.workers),
            use_gpu=cluster.gpus_per_worker > 0,
            resources_per_worker=cluster.needs(),
        ),
        run_config=RunConfig(
            name=name,
            storage_path=cluster.storage,
            failure_config=FailureConfig(max_failures=FAILURES),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
        ),
    )
    return cast(Outcome, cast(Result, trainer.fit()).return_value)


def train_rank(task: str, params: Params, progress: Any) -> Outcome | None:
    """One rank's part. It needs the job's code and data in the working directory.

    Returns:
        the job's outcome, from rank 0; the other ranks have the same weights.
    """
    context = ray.train.get_context()
    world = connected(context.get_world_rank(), context.get_world_size(), get_device().index or 0)
    torch.set_num_threads(params.cluster.cpus_per_worker)
    with TemporaryDirectory() as folder:
        try:
            model, job = begin(task, params, Path(folder))
            weights, history = fit(model, job, _reporter(job.checkpoints, world, progress), world)
        except ValueError as error:  # which another attempt would only come to again
            return Outcome(fault=str(error))
    return Outcome(save(weights), json.dumps(history)) if world.rank == 0 else None


def _reporter(checkpoints: Path, world: World, progress: Any) -> Callable[[Row], None]:
    """Put the job's last checkpoint into the folder; what then reports an epoch and keeps its checkpoint."""
    last = ray.train.get_checkpoint()
    if last is not None:
        last.to_directory(checkpoints)
    kept = int(last.get_metadata()[EPOCHS]) if last is not None else 0

    def report(row: Row) -> None:
        if row["epoch"] > kept:  # not one that the checkpoint brought along
            ray.train.report(dict(row), checkpoint=_checkpoint(checkpoints, row) if world.rank == 0 else None)
        if world.rank == 0:
            ray.get(progress.add.remote(row))

    return report


def _checkpoint(folder: Path, row: Row) -> Checkpoint:
    checkpoint = Checkpoint.from_directory(folder)
    checkpoint.set_metadata({EPOCHS: row["epoch"]})
    return checkpoint
