"""Recurrent models: `python -m benchmarks.recurrent [part ...]`, all parts by default, after `make repro`.

- loop: throughput of the common training loop relative to a minimal loop in plain torch, in examples per second. Both have the
  same model, batches, precision, optimizer, clipping, schedule and validation; the minimal loop has no checkpoints, logging,
  callbacks or resuming.
- full: both names tasks of the profile `full`, in a fresh clone: macro-F1 on surnames of 18 languages, and nats per character on
  makemore's first names. Downloads both data sets (or set DATA_MIRROR).
- sst: accuracy on the SST-2 test split, mean of five seeds, with the same profile in a fresh clone. The 50-dimensional GloVe
  vectors come from a package registry; the profile itself downloads the authors' archive of 862 MB, which has the same vectors.
- int8: the sentence classifier, an LSTM, with weights in float32 and in int8: file size, latency of a single sentence on one
  core, and test accuracy. Quantization is onnxruntime's dynamic one, with 7 of the 8 bits, so that every CPU gives the same
  results: see pipelines.onnx_export.saturation.
- stages: seconds of `make repro` for the tasks with recurrent models, as measured by `benchmarks.pipeline repro`.
"""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

from benchmarks.parts import run_parts
from benchmarks.pipeline import fresh_clone
from benchmarks.profiles import measured, run_profile
from benchmarks.timing import stage_seconds, stopwatch
from models.clipping import clip_gradient
from models.loss import Loss
from pipelines.data.prepared import read_texts
from pipelines.evaluation.interval import interval
from pipelines.kinds.parts import build
from pipelines.onnx_export.saturation import assert_portable
from pipelines.paths import BUNDLES, PREPARED
from pipelines.report.record import Figures
from pipelines.settings.params import load_params
from pipelines.store import Split
from pipelines.training.batches import loader
from pipelines.training.fit import Job, fit
from pipelines.training.hardware import keep_freed_memory, pick_accelerator, pick_precision
from serving.bundle import GRAPH, Bundle
from serving.predictors.classification import Classifier

PACKAGES = ("lightning-fabric", "onnxruntime", "torch")
TASKS, LSTM_TASK = ("surname", "names"), "sentiment"
SENTENCES = 300  # timed one by one
MIB = 2**20
EPOCHS, REPETITIONS = 2, 3
SEEDS = (1, 2, 3, 4, 5)
PACKAGED_VECTORS = (
    "datasets=[sst,glove-6b-50d]",
    "methods.glove-6b.data=raw/glove-6b-50d",
)


def job_of(task: str, checkpoints: Path) -> Job:
    """Return a short training job with the task's own settings."""
    params, prepared = load_params(), PREPARED / task
    train = params.task(task).train.model_copy(update={"epochs": EPOCHS})
    splits = Split(prepared / "train"), Split(prepared / "valid")
    return Job(*splits, train, params.seed, params.device, params.precision, checkpoints)


def fresh_model(task: str) -> nn.Module:
    """Return the task's model with the same initial weights each time."""
    params = load_params()
    torch.manual_seed(params.seed)
    return build(params.task(task), PREPARED / task)


def bare_loop(model: nn.Module, job: Job) -> None:
    """Train like `fit`, in plain torch."""
    device = pick_accelerator(job.device)
    mixed = pick_precision(job.precision, device) == "bf16-mixed"
    model.to(device)
    settings, batches = job.params, loader(job.train, job.params.batch_units, job.seed, shuffle=True)
    held_out = loader(job.valid, settings.batch_units, job.seed, shuffle=False)
    optimizer = torch.optim.AdamW(model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    steps = settings.epochs * len(batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, steps, pct_start=settings.warmup_share, cycle_momentum=False
    )

    def loss_of(batch: dict[str, torch.Tensor]) -> Loss:
        with torch.autocast(device, torch.bfloat16, enabled=mixed):
            loss: Loss = model(**{name: column.to(device) for name, column in batch.items()})
        return loss

    for _ in range(settings.epochs):
        model.train()
        for batch in batches:
            optimizer.zero_grad()
            loss = loss_of(batch)
            torch.autograd.backward(loss.total / loss.units)
            clip_gradient(model.parameters(), norm=settings.clip_norm, value=settings.clip_value)
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            sum(float(loss_of(batch).total) for batch in held_out)


def common_loop(model: nn.Module, job: Job) -> None:
    """Train with the loop of the stage `train`."""
    fit(model, job, lambda _: None)


def time_loops() -> Figures:
    """Measure the throughput ratio for each task, with the best of REPETITIONS alternating runs, and the smallest ratio."""
    keep_freed_memory()
    ways: dict[str, Callable[[nn.Module, Job], None]] = {"bare": bare_loop, "common": common_loop}
    figures: Figures = {}
    for task in TASKS:
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(REPETITIONS):
            for way, train in ways.items():
                with TemporaryDirectory() as scratch:
                    job, model = job_of(task, Path(scratch)), fresh_model(task)
                    with stopwatch(seconds[way]):
                        train(model, job)
        best = {way: min(taken) for way, taken in seconds.items()}
        examples = EPOCHS * len(job_of(task, Path()).train)
        figures |= {f"{task}_{way}_examples_s": examples / taken for way, taken in best.items()}
        figures[f"{task}_train_over_bare_loop"] = best["bare"] / best["common"]
    figures["train_over_bare_loop"] = min(figures[f"{task}_train_over_bare_loop"] for task in TASKS)
    return figures


def full_names() -> Figures:
    """Measure both names tasks of the profile `full`, starting from raw data."""
    with fresh_clone() as clone:
        run_profile("full", clone, [f"evaluate@{task}" for task in TASKS])
        surname, names = (measured(clone, task) for task in TASKS)
    return {
        "names18_macro_f1": surname["macro_f1"],
        "names18_accuracy": surname["accuracy"],
        "names18_baseline_macro_f1": surname["baseline_macro_f1"],
        "makemore_nats_per_char": names["bits_per_char"] * math.log(2),
        "makemore_baseline_nats_per_char": names["baseline_bits_per_char"] * math.log(2),
    }


def full_sentiment() -> Figures:
    """Measure the sentiment task of the profile `full` over SEEDS, starting from raw data."""
    runs = []
    with fresh_clone() as clone:
        for seed in SEEDS:
            run_profile("full", clone, [f"evaluate@{LSTM_TASK}"], *PACKAGED_VECTORS, f"seed={seed}")
            runs.append(measured(clone, LSTM_TASK))
    found = interval(np.array([run["accuracy"] for run in runs]))
    return {
        "sst2_accuracy": 100 * found.mean,
        "sst2_accuracy_low": 100 * found.low,
        "sst2_accuracy_high": 100 * found.high,
        "sst2_tfidf_accuracy": 100 * runs[0]["baseline_accuracy"],
        "sst2_averaged_accuracy": 100 * runs[0]["averaged_accuracy"],
    }


def quantized() -> Figures:
    """Compare the LSTM in float32 and int8."""
    folder, test = BUNDLES / LSTM_TASK, read_texts(PREPARED / LSTM_TASK, "test")
    described = Bundle.load(folder).model_dump(include={"task", "kind", "max_length", "labels", "temperature"})
    figures: Figures = {}
    with TemporaryDirectory() as scratch:
        small = Path(shutil.copytree(folder, Path(scratch) / LSTM_TASK))
        model = onnx.load(folder / GRAPH)
        del model.graph.value_info[:]  # shapes recorded by the exporter, which conflict with those that the quantizer infers
        quantize_dynamic(model, small / GRAPH, weight_type=QuantType.QInt8, reduce_range=True)
        assert_portable(small / GRAPH)
        Bundle.write(small, **described)
        for name, where in (("float32", folder), ("int8", small)):
            figures |= {f"lstm_{name}_mib": (where / GRAPH).stat().st_size / MIB, **_served(name, Classifier.load(where), test)}
    return figures | {
        "int8_size_ratio": figures["lstm_float32_mib"] / figures["lstm_int8_mib"],
        "int8_speed_ratio": figures["lstm_float32_ms"] / figures["lstm_int8_ms"],
        "int8_metric_change": figures["lstm_int8_accuracy_percent"] - figures["lstm_float32_accuracy_percent"],
    }


def _served(name: str, classifier: Classifier, test: Mapping[str, Sequence[str]]) -> Figures:
    """Measure a classifier's accuracy in percent, and its median latency for one sentence."""
    predicted = [classifier.bundle.labels[i] for i in classifier.probabilities(test["text"], batch_size=256).argmax(axis=1)]
    right = sum(p == label for p, label in zip(predicted, test["label"], strict=True))
    seconds: list[float] = []
    for text in test["text"][:SENTENCES]:
        with stopwatch(seconds):
            classifier.probabilities([text])
    return {f"lstm_{name}_accuracy_percent": 100 * right / len(predicted), f"lstm_{name}_ms": 1000 * median(seconds)}


PARTS: dict[str, Callable[[], Figures]] = {
    "loop": time_loops,
    "full": full_names,
    "sst": full_sentiment,
    "int8": quantized,
    "stages": lambda: stage_seconds([*TASKS, LSTM_TASK]),
}


if __name__ == "__main__":
    run_parts("recurrent", "Measure recurrent models and their training.", PARTS, PACKAGES)
