"""Cost of data-parallel training: two workers compared with one."""

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
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.paths import PREPARED
from pipelines.report.record import Figures
from pipelines.settings.params import Params, load_params
from pipelines.store import Split
from pipelines.training.begin import begin
from pipelines.training.fit import fit
from pipelines.training.world import connected

TASK = "fr-en"
CORES, REPETITIONS = 2, 3
EPOCHS = 2  # the first one is the warm-up
ROWS = 6000  # pairs per epoch


def two_over_one() -> Figures:
    """Compare the throughput of two one-core workers with that of one two-core worker, in target subwords per second.

    Returns:
        Medians of alternating runs, and their ratio.
    """
    params = load_params()
    task = params.task_of(TASK, TranslationTask)
    task = task.model_copy(update={"train": task.train.model_copy(update={"epochs": EPOCHS, "patience": EPOCHS})})
    timed = params.model_copy(update={"device": "cpu", "tasks": {**params.tasks, TASK: task}})
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
    """Train as one of several workers.

    Args:
        workers: number of workers; they share CORES.
        params: see params.yaml.
        folder: contains the prepared data.
        meeting: rendezvous file of the process group.
        rank: rank of this worker.

    Returns:
        Duration of the last epoch in seconds, including validation and the checkpoint.
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
