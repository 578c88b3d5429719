"""Stage `train`: from prepared data to the weights with the lowest validation loss. `python -m pipelines.train TASK`."""

import csv
import os

from rich.console import Console
from safetensors.torch import save_model

from models.attentive_classifier import AttentiveClassifier
from models.classifier import Classifier
from pipelines.params import Params, load_params
from pipelines.paths import CHECKPOINTS, METRICS, PLOTS, WEIGHTS
from pipelines.stage import StageError, rounded, run_stage, write_json
from pipelines.tracking import StageRun, track
from pipelines.training.begin import begin, identity
from pipelines.training.checkpoints import forget
from pipelines.training.classifiers import calibrate
from pipelines.training.cluster import fit_on_cluster
from pipelines.training.fit import Row, fit

console = Console()


def train(task: str, params: Params, run: StageRun) -> list[Row]:
    """Train one task, or go on with training it, and write build/weights/TASK/model.safetensors.

    Where RAY_ADDRESS is set, the cluster there trains.

    Returns:
        a row for each epoch.
    """

    def report(row: Row) -> None:
        run.metrics(row, step=int(row["epoch"]))
        console.print(f"{task}: " + "  ".join(f"{name} {value:.4g}" for name, value in row.items()))

    name, address = identity(task, params), os.environ.get("RAY_ADDRESS")
    try:
        model, job = begin(task, params, CHECKPOINTS / task / name)
        if address:
            weights, history = fit_on_cluster(address, task, params, f"{task}-{name}", report)
        else:
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
