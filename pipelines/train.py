"""Stage `train`: from prepared data to the weights with the lowest validation loss. `python -m pipelines.train TASK`."""

import csv

import torch
from rich.console import Console
from safetensors.torch import save_model

from models.attentive_classifier import AttentiveClassifier
from models.classifier import Classifier
from pipelines.models import begin_pretrained, build_model
from pipelines.params import Params, load_params
from pipelines.paths import CHECKPOINTS, METRICS, PLOTS, PREPARED, WEIGHTS
from pipelines.preparation.prepared import train_rows
from pipelines.settings.tasks import SurnameTrain
from pipelines.stage import StageError, rounded, run_stage, write_json
from pipelines.store import Split
from pipelines.tracking import StageRun, track
from pipelines.training.checkpoints import fingerprint, forget
from pipelines.training.classifiers import balance, calibrate
from pipelines.training.fit import Job, Row, fit

console = Console()


def job_of(task: str, params: Params) -> Job:
    """What to train, with a checkpoint folder that only an attempt at the same job shares."""
    prepared, block = PREPARED / task, params.task(task)
    settings = [
        block.model.model_dump_json(),
        block.train.model_dump_json(),
        *map(str, (params.seed, params.device, params.precision)),
    ]
    return Job(
        train=train_rows(prepared),
        valid=Split(prepared / "valid"),
        params=block.train,
        seed=params.seed,
        device=params.device,
        precision=params.precision,
        checkpoints=CHECKPOINTS / task / fingerprint(settings, prepared),
    )


def train(task: str, params: Params, run: StageRun) -> list[Row]:
    """Train one task, or go on with training it, and write build/weights/TASK/model.safetensors.

    Returns:
        a row for each epoch.
    """
    job = job_of(task, params)
    torch.manual_seed(params.seed)
    model = build_model(params.task(task), PREPARED / task)
    if isinstance(model, Classifier) and isinstance(job.params, SurnameTrain) and job.params.class_weighting == "balanced":
        balance(model, job.train)

    def report(row: Row) -> None:
        run.metrics(row, step=int(row["epoch"]))
        console.print(f"{task}: " + "  ".join(f"{name} {value:.4g}" for name, value in row.items()))

    try:
        begin_pretrained(model, PREPARED / task)
        weights, history = fit(model, job, report)
    except ValueError as error:
        raise StageError(str(error)) from error
    (WEIGHTS / task).mkdir(parents=True, exist_ok=True)
    model.load_state_dict(weights)
    if isinstance(model, Classifier | AttentiveClassifier):
        calibrate(model, job.valid, job.params.batch_units)
    save_model(model, str(WEIGHTS / task / "model.safetensors"))  # a table that two layers share is written once
    forget(CHECKPOINTS / task)
    return history


def write_record(task: str, history: list[Row]) -> None:
    """Write metrics/train/TASK.json and plots/train/TASK.csv, a line for each epoch."""
    best = min(history, key=lambda row: row["valid_loss"])
    losses = {name: best[name] for name in ("train_loss", "valid_loss")}
    row = rounded({"epochs": len(history), "best_epoch": int(best["epoch"]), **losses})
    write_json(METRICS / "train" / f"{task}.json", row)
    path = PLOTS / "train" / f"{task}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def main(task: str) -> None:
    """Write the weights, metrics and curves of one task."""
    params = load_params()
    params.task(task)  # an unknown name is an error before anything is tracked
    with track("train", task) as run:
        history = train(task, params, run)
        write_record(task, history)
        run.artifacts(PLOTS / "train" / f"{task}.csv")


if __name__ == "__main__":
    run_stage(main)
