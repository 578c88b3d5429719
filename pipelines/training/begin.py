"""Setup of a task's training before its first step: the same locally and on a cluster."""

from pathlib import Path

import torch
from torch import nn

from pipelines.data.prepared import rows_of
from pipelines.kinds import parts
from pipelines.paths import PREPARED
from pipelines.settings.params import Params
from pipelines.training.checkpoints import fingerprint
from pipelines.training.fit import Job, fit
from pipelines.training.work import Learned, Report, Work
from pipelines.training.world import ALONE, World


def work_of(task: str, params: Params) -> Work:
    """The training job of a task."""
    return Work(task, __name__, PREPARED / task, identity(task, params))


def learn(task: str, params: Params, checkpoints: Path, report: Report, world: World | None) -> Learned:
    """See Learner."""
    model, job = begin(task, params, checkpoints)
    weights, history = fit(model, job, report, world or ALONE)
    return Learned({name: tensor.numpy() for name, tensor in weights.items()}, history)


def identity(task: str, params: Params) -> str:
    """A unique id of a task's training with these params, data and code."""
    block = params.task(task)
    settings = [
        block.model.model_dump_json(),
        block.train.model_dump_json(),
        *map(str, (params.seed, params.device, params.precision)),
    ]
    return fingerprint(settings, PREPARED / task)


def begin(task: str, params: Params, checkpoints: Path) -> tuple[nn.Module, Job]:
    """The model with its initial weights, and its training job.

    Args:
        task: name of the task.
        params: see params.yaml.
        checkpoints: see Job.

    Raises:
        ValueError: the pretrained vectors do not fit the model.
    """
    prepared, block = PREPARED / task, params.task(task)
    job = Job(
        train=rows_of(prepared, "train"),
        valid=rows_of(prepared, "valid"),
        params=block.train,
        seed=params.seed,
        device=params.device,
        precision=params.precision,
        checkpoints=checkpoints,
    )
    torch.manual_seed(params.seed)
    model = parts.build(block, prepared)
    parts.training(block).begin(model, block, prepared, job.train)
    return model, job
