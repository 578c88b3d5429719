"""A task's training before its first step: wherever it begins, here or on a cluster, it begins in the same way."""

from pathlib import Path

import torch
from torch import nn

from models.classifier import Classifier
from pipelines.models import begin_pretrained, build_model
from pipelines.params import Params
from pipelines.paths import PREPARED
from pipelines.preparation.prepared import train_rows
from pipelines.settings.tasks import SurnameTrain
from pipelines.store import Split
from pipelines.training.checkpoints import fingerprint
from pipelines.training.classifiers import balance
from pipelines.training.fit import Job


def identity(task: str, params: Params) -> str:
    """Names a task's training with these params, this data and this code, and no other."""
    block = params.task(task)
    settings = [
        block.model.model_dump_json(),
        block.train.model_dump_json(),
        *map(str, (params.seed, params.device, params.precision)),
    ]
    return fingerprint(settings, PREPARED / task)


def begin(task: str, params: Params, checkpoints: Path) -> tuple[nn.Module, Job]:
    """The model with its first weights, and what to train it on.

    Args:
        task: its name.
        params: see params.yaml.
        checkpoints: see Job.

    Raises:
        ValueError: the pretrained vectors do not fit the model.
    """
    prepared, block = PREPARED / task, params.task(task)
    job = Job(
        train=train_rows(prepared),
        valid=Split(prepared / "valid"),
        params=block.train,
        seed=params.seed,
        device=params.device,
        precision=params.precision,
        checkpoints=checkpoints,
    )
    torch.manual_seed(params.seed)
    model = build_model(block, prepared)
    if isinstance(model, Classifier) and isinstance(job.params, SurnameTrain) and job.params.class_weighting == "balanced":
        balance(model, job.train)
    begin_pretrained(model, prepared)
    return model, job
