"""A job on the cluster, and each rank's part in it. This module imports Ray, and is imported only if Ray is installed."""

import json
import os
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
from safetensors.numpy import save

from pipelines.settings.params import Params
from pipelines.training.outcome import Outcome
from pipelines.training.work import Row, Work
from pipelines.training.world import World, connected

FAILURES = 3  # number of worker failures before the job is given up
EPOCHS = "epochs"  # key of a checkpoint's metadata


def run_job(name: str, work: Work, params: Params, progress: Any) -> Outcome:
    """Train with as many workers as fit, up to `cluster.workers`, from the job's last checkpoint if it exists.

    Work that cannot be shared gets one worker, and work that cannot use a GPU gets none.

    It waits until at least one worker fits. If workers are lost, it continues with the others.

    Args:
        name: name of the job; a later job with the same name resumes from its checkpoints.
        work: the training job.
        params: see params.yaml.
        progress: handle of a Progress.

    Raises:
        TrainingFailedError: workers failed more than FAILURES times.
    """
    cluster, needs = params.cluster, params.cluster.needs(on_gpu=work.on_gpu)
    trainer = TorchTrainer(
        lambda: train_rank(work, params, progress),
        scaling_config=ScalingConfig(
            num_workers=(1, cluster.workers) if work.shared else 1,
            use_gpu="GPU" in needs,
            resources_per_worker=needs,
        ),
        run_config=RunConfig(
            name=name,
            storage_path=cluster.storage,
            failure_config=FailureConfig(max_failures=FAILURES),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
        ),
    )
    return cast(Outcome, cast(Result, trainer.fit()).return_value)


def train_rank(work: Work, params: Params, progress: Any) -> Outcome | None:
    """Train as one rank. The job's code and data must be in the working directory.

    Returns:
        the job's outcome on rank 0, else None; the other ranks have the same weights.
    """
    context = ray.train.get_context()
    world = connected(context.get_world_rank(), context.get_world_size(), get_device().index or 0)
    torch.set_num_threads(params.cluster.cpus_per_worker)
    os.environ["OMP_NUM_THREADS"] = str(params.cluster.cpus_per_worker)  # for methods without torch
    with TemporaryDirectory() as folder:
        try:
            weights, history = work.learn(params, Path(folder), _reporter(Path(folder), world, progress), world)
        except (ValueError, FloatingPointError) as error:  # a retry would fail the same way
            return Outcome(fault=str(error))
    return Outcome(save(weights), json.dumps(history)) if world.rank == 0 else None


def _reporter(checkpoints: Path, world: World, progress: Any) -> Callable[[Row], None]:
    """Restore the job's last checkpoint to the folder; return a function that reports an epoch and saves its checkpoint."""
    last = ray.train.get_checkpoint()
    if last is not None:
        last.to_directory(checkpoints)
    kept = int(last.get_metadata()[EPOCHS]) if last is not None else 0

    def report(row: Row) -> None:
        if row["epoch"] > kept:  # not one from the restored checkpoint
            ray.train.report(dict(row), checkpoint=_checkpoint(checkpoints, row) if world.rank == 0 else None)
        if world.rank == 0:
            ray.get(progress.add.remote(row))

    return report


def _checkpoint(folder: Path, row: Row) -> Checkpoint:
    checkpoint = Checkpoint.from_directory(folder)
    checkpoint.set_metadata({EPOCHS: row["epoch"]})
    return checkpoint
