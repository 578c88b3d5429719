"""Study `translation`, stages `translate` and `sample`: one network with every seed.

`python -m pipelines.studies.translation.translate NETWORK`.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import torch

from models.text.json_files import write_json
from pipelines.data.prepared import read_texts, rows_of
from pipelines.kinds.translation.evaluation import translate
from pipelines.kinds.translation.model import build
from pipelines.kinds.translation.settings import Teacher, TranslationTask
from pipelines.paths import PREPARED
from pipelines.settings.params import Params, load_params, read_settings
from pipelines.stage import run_stage, threads
from pipelines.stages.export import export
from pipelines.store import Split
from pipelines.studies.translation.found import Found, Run, bundles
from pipelines.studies.translation.settings import FOUND, SETTINGS, TASK, Network, TranslationStudy
from pipelines.training.fit import Job, fit
from serving.predictors.translation import Translator

FORCING = Teacher(kind="constant", k=1.0, floor=0.0)  # teacher forcing: the decoder reads only the reference


def settings_of(params: Params, settings: TranslationStudy, network: Network) -> TranslationTask:
    """The task's settings with another network. Input feeding is off for all: early attention does not support it."""
    teacher = settings.sampling if network.sampled else FORCING
    parts = {"attention": network.attention, "cell": network.cell, "input_feeding": False, "teacher": teacher}
    task = params.task_of(TASK, TranslationTask)
    model = task.model.model_copy(update={**settings.model.model_dump(), **parts})
    return task.model_copy(update={"model": model, "train": settings.train})


def train_and_translate(task: TranslationTask, seed: int, params: Params, bundle: Path) -> Run:
    """Train one network to the lowest validation loss, export it to `bundle`, and translate the test split with the bundle."""
    prepared = PREPARED / TASK
    torch.manual_seed(seed)
    model, train = build(task, prepared), rows_of(prepared, "train")
    with TemporaryDirectory(prefix="seqline-") as scratch:
        valid = Split(prepared / "valid")
        job = Job(train, valid, task.train, seed, params.device, params.precision, checkpoints=Path(scratch))
        start = perf_counter()
        weights, history = fit(model, job, lambda _: None)
        seconds = perf_counter() - start
    model.load_state_dict(weights)
    export(TASK, task, model, prepared, bundle)
    translator = Translator.load(bundle, threads=threads())
    sources = read_texts(prepared, "test")["source"]
    return Run(
        parameters=sum(p.numel() for p in model.parameters()),
        valid_loss=min(row["valid_loss"] for row in history),
        tokens_s=len(history) * float((train.lengths("target") - 1).sum()) / seconds,
        hypotheses=translate(translator, sources, task.evaluate.batch_size, translator.decoding),
    )


def main(item: str) -> None:
    """Write build/studies/translation/NETWORK.json, and the network's bundles."""
    network, params, settings = Network.parse(item), load_params(), read_settings(SETTINGS, TranslationStudy)
    task = settings_of(params, settings, network)
    runs = [train_and_translate(task, seed, params, bundles(network) / str(seed)) for seed in settings.seeds]
    write_json(FOUND / f"{network}.json", Found(runs=runs).model_dump())


if __name__ == "__main__":
    run_stage(main)
