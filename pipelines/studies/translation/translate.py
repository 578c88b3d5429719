"""Study `translation`, stages `translate` and `sample`: one network with every seed.

`python -m pipelines.studies.translation.translate NETWORK`.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import torch

from pipelines.evaluation.translation import translate
from pipelines.export import export
from pipelines.models import build_model
from pipelines.params import Params, load_params, read_settings
from pipelines.paths import PREPARED
from pipelines.preparation.prepared import read_texts, train_rows
from pipelines.settings.tasks import Teacher, TranslationTask
from pipelines.stage import run_stage, threads, write_json
from pipelines.store import Split
from pipelines.studies.translation.found import Found, Run, bundles
from pipelines.studies.translation.settings import FOUND, SETTINGS, TASK, Network, Settings
from pipelines.training.fit import Job, fit
from serving.predictors.translation import Translator

FORCING = Teacher(kind="constant", k=1.0, floor=0.0)  # the decoder reads the reference alone


def settings_of(params: Params, settings: Settings, network: Network) -> TranslationTask:
    """The task's settings with another network. None is fed its outputs: with early attention none could be."""
    teacher = settings.sampling if network.sampled else FORCING
    parts = {"attention": network.attention, "cell": network.cell, "input_feeding": False, "teacher": teacher}
    task = params.fr_en
    model = task.model.model_copy(update={**settings.model.model_dump(), **parts})
    return task.model_copy(update={"model": model, "train": settings.train})


def train_and_translate(task: TranslationTask, seed: int, params: Params, bundle: Path) -> Run:
    """Train one network to the lowest validation loss, export it to `bundle`, and translate the test split with that."""
    prepared = PREPARED / TASK
    torch.manual_seed(seed)
    model, train = build_model(task, prepared), train_rows(prepared)
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
    """Write build/studies/translation/NETWORK.json, and the bundles that it is about."""
    network, params, settings = Network.parse(item), load_params(), read_settings(SETTINGS, Settings)
    task = settings_of(params, settings, network)
    runs = [train_and_translate(task, seed, params, bundles(network) / str(seed)) for seed in settings.seeds]
    write_json(FOUND / f"{network}.json", Found(runs=runs).model_dump())


if __name__ == "__main__":
    run_stage(main)
