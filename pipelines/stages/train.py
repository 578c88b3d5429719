"""Stage `train`: train on prepared data and keep the weights with the lowest loss. `python -m pipelines.stages.train TASK`."""

import csv

import torch
from rich.console import Console
from safetensors.torch import save_model

from models.text.json_files import write_json
from pipelines.data.prepared import rows_of
from pipelines.kinds import parts
from pipelines.paths import CHECKPOINTS, METRICS, PLOTS, PREPARED, WEIGHTS
from pipelines.settings.params import Params, load_params
from pipelines.stage import rounded, run_stage
from pipelines.tracking.runs import StageRun, track
from pipelines.training.begin import work_of
from pipelines.training.checkpoints import forget
from pipelines.training.work import Row, learned

console = Console(emoji=False, soft_wrap=True)


def train(task: str, params: Params, run: StageRun) -> list[Row]:
    """Train one task, resuming an interrupted training, and write build/weights/TASK/model.safetensors.

    Returns:
        a row per epoch.

    Raises:
        StageError: see `learned`.
    """

    def report(row: Row) -> None:
        run.metrics(row, step=int(row["epoch"]))
        console.print(f"{task}: " + "  ".join(f"{name} {value:.4g}" for name, value in row.items()))

    weights, history = learned(work_of(task, params), params, report)
    block, prepared = params.task(task), PREPARED / task
    model = parts.build(block, prepared)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    parts.training(block).finish(model, block, rows_of(prepared, "valid"))
    (WEIGHTS / task).mkdir(parents=True, exist_ok=True)
    save_model(model, str(WEIGHTS / task / "model.safetensors"))  # writes shared tensors once
    forget(CHECKPOINTS / task)
    return history


def write_record(task: str, history: list[Row]) -> None:
    """Write metrics/train/TASK.json and plots/train/TASK.csv, with a line per epoch."""
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
    params.task(task)  # fails for an unknown name before tracking starts
    with track("train", task) as run:
        history = train(task, params, run)
        write_record(task, history)
        run.artifacts(PLOTS / "train" / f"{task}.csv")


if __name__ == "__main__":
    run_stage(main)
