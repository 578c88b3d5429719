"""Study `surnames`, stage `classify`: one network with every seed. `python -m pipelines.studies.surnames.classify NETWORK`."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from models.classification.classifier import Classifier
from models.text.json_files import write_json
from pipelines.kinds.classification.model import build
from pipelines.kinds.classification.settings import CharactersTask
from pipelines.paths import PREPARED
from pipelines.settings.params import Params, load_params, read_settings
from pipelines.stage import run_stage, threads
from pipelines.store import Split
from pipelines.studies.surnames.settings import FOUND, READINGS, SETTINGS, Network, SurnamesStudy
from pipelines.training.batches import PaddedRows
from pipelines.training.fit import Job, fit

TASK = "surname"
ROWS = 256  # batch size for classification


@dataclass(frozen=True)
class Run:
    """A trained network's predictions.

    Attributes:
        valid_macro_f1: score on the validation split, by which the best network is chosen.
        predicted: label ids of the test split's rows, in order.
        parameters: number of weights.
    """

    valid_macro_f1: float
    predicted: list[int]
    parameters: int


def settings_of(params: Params, network: Network) -> CharactersTask:
    """The task's settings with another network."""
    chosen = {"cell": network.cell, "bidirectional": READINGS[network.reading], "layers": network.layers}
    task = params.task_of(TASK, CharactersTask)
    return task.model_copy(update={"model": task.model.model_copy(update=chosen)})


def train_and_test(params: Params, network: Network, seed: int) -> Run:
    """Train one network to the lowest validation loss, on one core, and classify the test split."""
    torch.set_num_threads(1)
    settings, prepared = settings_of(params, network), PREPARED / TASK
    torch.manual_seed(seed)
    model = build(settings, prepared)
    if not isinstance(model, Classifier):  # cannot happen for this task
        raise TypeError(type(model).__name__)
    train, valid, test = (Split(prepared / split) for split in ("train", "valid", "test"))
    with TemporaryDirectory(prefix="seqline-") as scratch:
        job = Job(train, valid, settings.train, seed, params.device, params.precision, checkpoints=Path(scratch))
        weights, _ = fit(model, job, lambda _: None)
    model.load_state_dict(weights)
    actual = [int(valid.row(i)["label"]) for i in range(len(valid))]
    score = f1_score(actual, predict(model, valid), average="macro", zero_division=0)
    return Run(float(score), predict(model, test).tolist(), sum(p.numel() for p in model.parameters()))


@torch.no_grad()
def predict(model: Classifier, split: Split) -> NDArray[np.int64]:
    """Predicted label id of each row."""
    model.eval()
    rows, answers = PaddedRows(split), []
    for start in range(0, len(split), ROWS):
        batch = rows[list(range(start, min(start + ROWS, len(split))))]
        answers.append(model.logits(batch["characters"], batch["characters_lengths"]).argmax(1).numpy())
    return np.concatenate(answers)


def main(item: str) -> None:
    """Write build/studies/surnames/NETWORK.json."""
    network, params = Network.parse(item), load_params()
    seeds = read_settings(SETTINGS, SurnamesStudy).seeds
    workers = 1 if torch.cuda.is_available() else threads()
    runs: list[Run] = Parallel(n_jobs=workers)(delayed(train_and_test)(params, network, seed) for seed in seeds)
    columns = {name: [getattr(run, name) for run in runs] for name in ("valid_macro_f1", "predicted")}
    write_json(FOUND / f"{network}.json", {**columns, "parameters": runs[0].parameters})


if __name__ == "__main__":
    run_stage(main)
