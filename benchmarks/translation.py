"""The translator compared with Joey NMT: `python -m benchmarks.translation [part ...]`, all parts by default, after `make repro`.

benchmarks/peer.py describes what the two have in common and where they differ.

- speed: training and translation on Multi30k on two cores; ratios of the best of three alternating runs.
  Training: the same pairs, 80 sentences per step on average, one warm-up epoch and a timed one. Each uses its usual loop, from
  arrays or lines in memory to the optimizer step, without validation and checkpoints: ours is that of the stage `train`, and Joey
  NMT's rate is the one it logs. Joey NMT does not sort its batches, ours sorts them by length; padding counts on neither side.
  Joey NMT computes in float32. So do we for the second ratio; for the first we use the stage's precision, which is bf16 in matrix
  products if the CPU supports it.
  Translation: the 2016 test set with a beam of five, after three epochs of training. BLEU and output lengths are reported, too.
  Ours runs the exported graph, with an int8 decoder, in the batches of the stage `evaluate`, text to text. Joey NMT runs in
  float32, in its batches of 64, subwords to subwords. All sizes are 256 here, including that of our attention.
  With ATEN_CPU_CAPABILITY=avx2, ONEDNN_MAX_CPU_ISA=AVX2 and MKL_ENABLE_INSTRUCTIONS=AVX2 in the environment, torch computes as
  on a CPU without AVX-512, and the keys end in _avx2. ONNX Runtime, which runs our beam search, has no such switch.
- busy: training on an idle machine, and next to a process that keeps one core half busy: model and data of the default profile.
- sentence: latency of a single sentence on one core, with the predictor: model and test sentences of the default profile.
- debian: BLEU of the default profile, and of Joey NMT trained on the same pairs for the same number of epochs.
- multi30k: BLEU of the profile `full` in a fresh clone, on Multi30k's test sets of 2016 and 2017.
- everyday: BLEU of the profile `everyday` on Tatoeba's held-out groups, and seconds for the translator's stages from download to
  evaluation, in a fresh clone.
- default-everyday: BLEU of the default profile's model in build/bundles, on the first thousand pairs of these groups.
- gpu: training throughput on a GPU in target subwords per second, with the current params and prepared data, and the share of
  time that the GPU spends in kernels over a short epoch, including the start of the batch-loading processes. Skipped without a
  GPU. Meant for the profile `full`.
- stages: seconds of `make repro` for the task, as measured by `benchmarks.pipeline repro`.

Multi30k and Tatoeba are downloaded (or set DATA_MIRROR); Joey NMT comes from a package registry.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.profiler import ProfilerActivity, profile
from tqdm import tqdm

from benchmarks.everyday import default_everyday, everyday
from benchmarks.joeynmt_settings import REPORT_EVERY
from benchmarks.parts import run_parts
from benchmarks.peer import JOEYNMT, Peer, installed
from benchmarks.pipeline import fresh_clone
from benchmarks.profiles import measured, run_profile
from benchmarks.scoring import bleu, translate
from benchmarks.timing import SUFFIX, stage_seconds, stopwatch
from pipelines.data.prepared import read_texts, rows_of
from pipelines.kinds.parts import build
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.paths import BUNDLES, PREPARED
from pipelines.report.record import Figures
from pipelines.settings.params import load_params
from pipelines.store import Rows, Split, write_split
from pipelines.training.hardware import keep_freed_memory, pick_precision
from pipelines.training.loop import Loop
from pipelines.training.ranks import rank_count, train_by_ranks
from pipelines.training.world import ALONE, World
from serving.predictors.translation import Translator

PACKAGES = (JOEYNMT, "lightning-fabric", "onnxruntime", "sacrebleu", "tokenizers", "torch")
TASK = "fr-en"
THREADS, REPETITIONS = 2, 3
SENTENCES = 80  # per training batch
ROWS = SENTENCES * REPORT_EVERY  # pairs per timed epoch, so that Joey NMT logs its rate at the end
EPOCHS = 2  # the first one is the warm-up
PROFILED = 4000  # training pairs under the profiler; few, as its events take much memory
ONE_BY_ONE = 300  # sentences timed individually
WARM_UP = 64  # sentences translated as a warm-up
SMALL = {
    **{f"model.{part}_size": 256 for part in ("embedding", "encoder", "hidden", "attention")},
    "model.cell": "gru",
    "model.dropout": 0.3,
    "train.epochs": 3,
    "train.batch_units": 1300,
    "train.average": 1,
}  # overrides of the profile


def time_both() -> Figures:
    """Measure the training and translation rates, ours and Joey NMT's, and the ratios."""
    torch.set_num_threads(THREADS)
    with fresh_clone() as clone, installed() as packages:
        run_profile("full", clone, [f"export@{TASK}"], *(f"{TASK}.{key}={value}" for key, value in SMALL.items()))
        task, prepared = load_params(clone / "params.yaml").task_of(TASK, TranslationTask), clone / PREPARED / TASK
        found = time_training(packages, task, first_rows(prepared, clone / "first", ROWS))
        peer = Peer(packages, clone / "joeynmt", task, prepared, threads=THREADS)
        peer.train()
        found |= time_translation(clone / BUNDLES / TASK, task, prepared, peer)
    return {f"{key}{SUFFIX}": value for key, value in found.items()}


def first_rows(prepared: Path, folder: Path, rows: int) -> Path:
    """Copy prepared data to another folder, with only the first training rows."""
    shutil.copytree(prepared, folder)
    train = Split(prepared / "train")
    write_split(folder / "train", {name: [train.row(i)[name].tolist() for i in range(rows)] for name in train.texts})
    return folder


def time_training(packages: Path, task: TranslationTask, prepared: Path) -> Figures:
    """Measure the training rates, ours and Joey NMT's, in target subwords per second."""
    units = round(SENTENCES * Split(prepared / "train").lengths("target").mean())
    timed = task.model_copy(update={"train": task.train.model_copy(update={"batch_units": units, "epochs": EPOCHS})})
    peer = Peer(packages, prepared / "joeynmt", timed, prepared, threads=THREADS)
    ways: dict[str, Callable[[], float]] = {
        "": lambda: training_rate(timed, prepared, load_params().precision),
        "_fp32": lambda: training_rate(timed, prepared, "fp32"),
        "_joeynmt": peer.train,
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in tqdm(range(REPETITIONS), "training", unit="turn"):
        for way, train in ways.items():
            rates[way].append(train())
    best = {way: max(found) for way, found in rates.items()}
    ratios = {f"train_over_joeynmt{way}": best[way] / best["_joeynmt"] for way in ("", "_fp32")}
    return {f"train_tokens_s{way}": rate for way, rate in best.items()} | ratios


def training_rate(task: TranslationTask, prepared: Path, precision: str) -> float:
    """Return our rate in target subwords per second (with EOS) in the last epoch, with ranks as in the stage `train`."""
    keep_freed_memory()
    train, model = Split(prepared / "train"), first_model(task, prepared)
    picked = pick_precision(precision, "cpu")

    def epochs(world: World) -> float:
        return last_epoch_rate(
            loop_of(model, task, prepared, train, Fabric(accelerator="cpu", devices=1, precision=picked), world), train
        )

    ranks = rank_count(THREADS, task.train.batch_units)
    return train_by_ranks(model, ranks, epochs) if ranks > 1 else epochs(ALONE)


def first_model(task: TranslationTask, prepared: Path) -> nn.Module:
    """Return the model with the initial weights of the stage `train`."""
    torch.manual_seed(load_params().seed)
    return build(task, prepared)


def loop_of(model: nn.Module, task: TranslationTask, prepared: Path, train: Rows, fabric: Fabric, world: World = ALONE) -> Loop:
    """Return the loop of the stage `train` before its first step."""
    return Loop(model, train, Split(prepared / "valid"), task.train, load_params().seed, fabric, world)


def last_epoch_rate(loop: Loop, train: Rows) -> float:
    """Return the target subwords per second of all ranks in the last of EPOCHS epochs."""
    seconds: list[float] = []
    for epoch in range(EPOCHS):
        with stopwatch(seconds):
            loop.train(epoch)
    return float((train.lengths("target") - 1).sum()) / seconds[-1]


def time_busy() -> Figures:
    """Measure training with the default params on an idle machine, and while another process keeps one core half busy."""
    task, rates = load_params().task_of(TASK, TranslationTask), {"": list[float](), "busy": list[float]()}
    with TemporaryDirectory(prefix="seqline-") as folder:
        prepared = first_rows(PREPARED / TASK, Path(folder) / "first", ROWS)
        for _ in tqdm(range(REPETITIONS), "training", unit="turn"):
            for way, found in rates.items():
                with half_busy() if way else nullcontext():
                    found.append(training_rate(task, prepared, load_params().precision))
    idle, busy_rate = (median(found) for found in rates.values())
    return {"idle_tokens_s": idle, "busy_tokens_s": busy_rate, "busy_over_idle": busy_rate / idle}


@contextmanager
def half_busy() -> Iterator[None]:
    """Run a process that alternates 50 ms of work and 50 ms of sleep, for the duration of the block."""
    program = (
        "import time\nwhile True:\n    end = time.perf_counter() + 0.05\n"
        "    while time.perf_counter() < end: pass\n    time.sleep(0.05)"
    )
    process = subprocess.Popen([sys.executable, "-c", program])  # noqa: S603 - the lines above
    try:
        yield
    finally:
        process.kill()
        process.wait()


def time_gpu() -> Figures:
    """Measure training on the GPU with the current params; empty without a GPU."""
    if not torch.cuda.is_available():
        return {}
    params, prepared = load_params(), PREPARED / TASK
    task = params.task_of(TASK, TranslationTask)
    train, model = rows_of(prepared, "train"), first_model(task, prepared)
    fabric = Fabric(accelerator="cuda", devices=1, precision=pick_precision(params.precision, "cuda"))
    rate = last_epoch_rate(loop_of(model, task, prepared, train, fabric), train)
    with TemporaryDirectory(prefix="seqline-") as folder:
        few = Split(first_rows(prepared, Path(folder) / "first", PROFILED) / "train")
        loop = loop_of(
            first_model(task, prepared),
            task,
            prepared,
            few,
            fabric,
        )
        loop.train(0)
        return {"gpu_tokens_per_s": rate, "gpu_busy": busy(lambda: loop.train(1))}


def busy(work: Callable[[], object]) -> float:
    """Return the share of time that the GPU spends in kernels, between the start of the first and the end of the last one."""
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        work()
    events = [event for event in profiled.events() if event.device_type.name == "CUDA"]
    spans = sorted((event.time_range.start, event.time_range.end) for event in events if not event.name.startswith("Mem"))
    inside, until = 0.0, float(spans[0][0])
    for start, end in spans:
        inside += max(end - max(start, until), 0.0)
        until = max(until, float(end))
    return inside / (until - float(spans[0][0]))


def time_translation(bundle: Path, task: TranslationTask, prepared: Path, peer: Peer) -> Figures:
    """Measure sentences per second, BLEU, and the mean length of the translations in our subwords, for both translators."""
    translator, test = Translator.load(bundle, threads=THREADS), read_texts(prepared, "test")
    sources = test["source"]
    translate(translator, sources[:WARM_UP], task.evaluate.batch_size)
    ours: list[float] = []
    theirs: list[float] = []
    texts: dict[str, list[str]] = {}
    for _ in tqdm(range(REPETITIONS), "translation", unit="turn"):
        with stopwatch(ours):
            texts[""] = translate(translator, sources, task.evaluate.batch_size)
        texts["_joeynmt"], seconds = peer.translate()
        theirs.append(seconds)
    return {
        "decode_sentences_s": len(sources) / min(ours),
        "decode_sentences_s_joeynmt": len(sources) / min(theirs),
        "decode_over_joeynmt": min(theirs) / min(ours),
        **{f"decode_bleu{way}": bleu(found, test["target"]) for way, found in texts.items()},
        **{f"decode_subwords{way}": fmean(map(len, map(translator.tokenizer.encode, found))) for way, found in texts.items()},
    }


def time_sentence() -> Figures:
    """Measure the median latency over the first ONE_BY_ONE sentences of the test split."""
    translator, seconds = Translator.load(BUNDLES / TASK), list[float]()
    for text in read_texts(PREPARED / TASK, "test", ONE_BY_ONE)["source"]:
        with stopwatch(seconds):
            translator.translate([text])
    return {"sentence_p50_ms": 1000 * median(seconds)}


def debian() -> Figures:
    """Measure the BLEU of both on the default profile's data."""
    with installed() as packages, TemporaryDirectory(prefix="seqline-") as folder:
        peer = Peer(packages, Path(folder), load_params().task_of(TASK, TranslationTask), PREPARED / TASK, threads=THREADS)
        peer.train()
        translations, _ = peer.translate()
    theirs = bleu(translations, read_texts(PREPARED / TASK, "test")["target"])
    return {"debian_bleu": measured(Path(), TASK)["bleu"], "debian_bleu_joeynmt": theirs}


def multi30k() -> Figures:
    """Measure the BLEU of the profile `full` on Multi30k."""
    with fresh_clone() as clone:
        run_profile("full", clone, [f"evaluate@{TASK}"])
        found = measured(clone, TASK)
    return {"multi30k_2016_bleu": found["bleu"], "multi30k_2017_bleu": found["test_2017_flickr_bleu"]}


PARTS: dict[str, Callable[[], Figures]] = {
    "speed": time_both,
    "sentence": time_sentence,
    "debian": debian,
    "multi30k": multi30k,
    "everyday": everyday,
    "default-everyday": default_everyday,
    "busy": time_busy,
    "gpu": time_gpu,
    "stages": lambda: stage_seconds([TASK]),
}


if __name__ == "__main__":
    run_parts("translation", "Compare the translator with Joey NMT.", PARTS, PACKAGES)
