"""Study `finance`, stage `forecast`: walk-forward of one variant. `python -m pipelines.studies.finance.forecast VARIANT`."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray

from models.forecasting.forecaster import Forecaster
from pipelines.kinds.forecasting.model import build
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.kinds.forecasting.training import begin
from pipelines.paths import PREPARED
from pipelines.settings.params import load_params
from pipelines.stage import run_stage, threads
from pipelines.studies.finance.panel import Panel, Refit
from pipelines.studies.finance.settings import FOUND, Variant, settings
from pipelines.training.batches import PaddedRows
from pipelines.training.fit import Job, fit
from pipelines.windows import Windows

ROWS = 512  # batch size for forecasting
Found = tuple[NDArray[np.float32], NDArray[np.float16]]


def task_of(variant: Variant) -> ForecastingTask:
    """The task's settings with the variant's cell and attention, and a single network."""
    task = load_params().task_of(variant.task, ForecastingTask)
    chosen = {"cell": variant.cell, "attention": variant.attention, "members": 1}
    return task.model_copy(update={"model": task.model.model_copy(update=chosen)})


def fitted(task: ForecastingTask, prepared: Path, refit: Refit, seed: int) -> Forecaster:
    """Train a network for one refit, on one core."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rows = Windows(prepared, "train")
    model = build(task, prepared)
    begin(model, task, prepared, rows.at(refit.train))
    with TemporaryDirectory(prefix="seqline-") as scratch:
        job = Job(rows.at(refit.train), rows.at(refit.valid), task.train, seed, "cpu", "fp32", checkpoints=Path(scratch))
        weights, _ = fit(model, job, lambda _: None)
    model.load_state_dict(weights)
    return model.eval()


def forecast(task: ForecastingTask, prepared: Path, refit: Refit, seed: int) -> Found:
    """Train for one refit, and forecast from its test days: outputs [N], and attention weights of the days [N, L]."""
    model = fitted(task, prepared, refit, seed)
    rows = PaddedRows(Windows(prepared, "train").at(refit.test))
    outputs, shares = list[NDArray[np.float32]](), list[NDArray[np.float16]]()
    with torch.no_grad():
        for start in range(0, len(refit.test), ROWS):
            batch = rows[list(range(start, min(start + ROWS, len(refit.test))))]
            found, attention = model.predict(batch["days"], batch["days_lengths"], batch["linear"])
            found = torch.exp(found) if model.positive and model.loss == "qlike" else found
            outputs.append(found[:, 0, 0].numpy())
            shares.append(attention.numpy().astype(np.float16))
    return np.concatenate(outputs), np.concatenate(shares)


def main(name: str) -> None:
    """Write build/studies/finance/VARIANT.npz: forecasts [S, N] by seed, indices of the days [N], and attention [S, N, L]."""
    study = settings()
    variant = study.variant(name)
    task, prepared = task_of(variant), PREPARED / variant.task
    refits = list(Panel.read(task, prepared).refits(task, study.refit_every, study.valid_days))
    jobs = [(refit, seed) for seed in study.seeds for refit in refits]
    ran = Parallel(n_jobs=threads())(delayed(forecast)(task, prepared, refit, seed) for refit, seed in jobs)
    found = [cast(Found, one) for one in ran]
    each = [found[i : i + len(refits)] for i in range(0, len(found), len(refits))]
    columns: dict[str, Any] = {"forecasts": np.stack([np.concatenate([one[0] for one in seed]) for seed in each])}
    if variant.attention not in ("last", "uniform"):
        columns["attention"] = np.stack([np.concatenate([one[1] for one in seed]) for seed in each])
    FOUND.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(FOUND / f"{name}.npz", ends=np.concatenate([refit.test for refit in refits]), **columns)


if __name__ == "__main__":
    run_stage(main)
