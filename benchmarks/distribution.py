"""What it costs to share a training's batches among processes."""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from torch import distributed
from tqdm import tqdm

from benchmarks.translation import first_rows
from pipelines.params import Params, load_params
from pipelines.paths import PREPARED
from pipelines.record import Figures
from pipelines.store import Split
from pipelines.training.begin import begin
from pipelines.training.fit import fit
from pipelines.training.world import connected

TASK = "fr-en"
CORES, REPETITIONS = 2, 3
EPOCHS = 2  # the first one to warm up
ROWS = 6000  # pairs of an epoch


def two_over_one() -> Figures:
    """Target subwords a second of two workers of a core each over those of one worker of two cores, medians of turns."""
    params = load_params()
    train = params.fr_en.train.model_copy(update={"epochs": EPOCHS, "patience": EPOCHS})
    timed = params.model_copy(update={"device": "cpu", "fr_en": params.fr_en.model_copy(update={"train": train})})
    rates: dict[int, list[float]] = {1: [], 2: []}
    with TemporaryDirectory() as folder:
        here = Path(folder)
        first_rows(PREPARED / TASK, here / PREPARED / TASK, ROWS)
        tokens = float((Split(here / PREPARED / TASK / "train").lengths("target") - 1).sum())
        for turn in tqdm(range(REPETITIONS), "training", unit="turn"):
            for workers, found in rates.items():
                work = partial(_epoch_seconds, workers, timed, here, here / f"{turn}-{workers}")
                with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
                    found.append(tokens / max(pool.map(work, range(workers))))
    one, two = (median(found) for found in rates.values())
    return {"two_workers_over_one": two / one, "one_worker_tokens_s": one, "two_workers_tokens_s": two}


def _epoch_seconds(workers: int, params: Params, folder: Path, meeting: Path, rank: int) -> float:
    """Train as one of so many workers. Returns the seconds of the last epoch, with its validation and checkpoint.

    Args:
        workers: number of them, which share CORES.
        params: see params.yaml.
        folder: with the prepared data.
        meeting: file by which the workers find each other.
        rank: of this worker.
    """
    os.chdir(folder)
    torch.set_num_threads(CORES // workers)
    if workers > 1:
        distributed.init_process_group("gloo", meeting.as_uri(), rank=rank, world_size=workers)
    ends: list[float] = []
    with TemporaryDirectory() as checkpoints:
        model, job = begin(TASK, params, Path(checkpoints))
        fit(model, job, lambda _: ends.append(time.perf_counter()), connected(rank, workers))
    return ends[-1] - ends[-2]
