"""Study `contextual`: sentiment from GloVe alone and with contextual vectors. `python -m pipelines.studies.contextual`.

All classifiers share one split of Rotten Tomatoes' snippets. The contextual model was not trained on any of them. Each classifier
is trained to the lowest validation loss; the test split is read once, at the end.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from rich.console import Console
from sklearn.metrics import accuracy_score, f1_score

from models.text.vectors import WordVectors
from pipelines.evaluation.interval import Interval, interval
from pipelines.paths import BUNDLES, RAW, VECTORS
from pipelines.report.record import Figures, record
from pipelines.settings.params import read_settings
from pipelines.settings.section import Count, Positive, Section, Share, Train
from pipelines.stage import StageError, fail, threads
from pipelines.store import Split
from pipelines.studies.contextual.classifier import SentenceClassifier
from pipelines.studies.contextual.data import Features, make_features, read_snippets
from pipelines.tracking.runs import track
from pipelines.training.batches import loader
from pipelines.training.fit import Job, fit
from serving.predictors.contexts import Contexts

NAME = "contextual"
SETTINGS = Path(__file__).with_name("params.yaml")
CLASSES = 2
PACKAGES = ("lightning-fabric", "onnxruntime", "scikit-learn", "torch")

console = Console(emoji=False, soft_wrap=True)


class ContextualStudy(Section):
    """Settings of the study, see params.yaml in this folder."""

    seeds: Annotated[list[Count], Field(min_length=2)]
    split_seed: Count
    valid_share: Annotated[float, Field(gt=0, lt=0.5)]
    test_share: Annotated[float, Field(gt=0, lt=0.5)]
    hidden_size: Positive
    dropout: Share
    train: Train


@dataclass(frozen=True)
class Scores:
    """Scores of one classifier on the test split."""

    macro_f1: float
    accuracy: float


def train_and_test(settings: ContextualStudy, features: Features, seed: int, *, contextual: bool, checkpoints: Path) -> Scores:
    """Train a classifier to the lowest validation loss and evaluate it on the test split."""
    torch.manual_seed(seed)
    model = SentenceClassifier(
        vectors=torch.from_numpy(features.vectors),
        layers=torch.from_numpy(features.layers) if contextual else None,
        classes=CLASSES,
        hidden_size=settings.hidden_size,
        dropout=settings.dropout,
    )
    splits = features.splits
    job = Job(splits["train"], splits["valid"], settings.train, seed, device="cpu", precision="fp32", checkpoints=checkpoints)
    weights, _ = fit(model, job, lambda _: None)
    model.load_state_dict(weights)
    expected, predicted = _predict(model, splits["test"], settings.train.batch_units)
    return Scores(float(f1_score(expected, predicted, average="macro")), float(accuracy_score(expected, predicted)))


@torch.no_grad()
def _predict(model: SentenceClassifier, test: Split, units: int) -> tuple[torch.Tensor, torch.Tensor]:
    model.eval()
    pairs = []
    for batch in loader(test, units, 0, shuffle=False):
        logits = model.logits(batch["words"], batch["words_lengths"], batch["occurrences"])
        pairs.append((batch["label"], logits.argmax(1)))
    expected, predicted = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    return expected, predicted


def compare(settings: ContextualStudy, features: Features, scratch: Path) -> Figures:
    """Train both kinds of classifier with every seed; return means and intervals over the seeds, with a paired difference."""
    scores: dict[str, list[Scores]] = {"glove": [], "elmo": []}
    for seed in settings.seeds:
        for kind, found in scores.items():
            folder = scratch / f"{kind}-{seed}"
            found.append(train_and_test(settings, features, seed, contextual=kind == "elmo", checkpoints=folder))
            console.print(f"{NAME}: {kind}, seed {seed}: macro-F1 {found[-1].macro_f1:.4f}, accuracy {found[-1].accuracy:.4f}")
    f1 = {kind: np.array([score.macro_f1 for score in found]) for kind, found in scores.items()}
    figures = {f"{kind}_accuracy": float(np.mean([score.accuracy for score in found])) for kind, found in scores.items()}
    for kind, values in f1.items():
        figures |= _named(f"{kind}_macro_f1", interval(values))
    return figures | _named("gain_macro_f1", interval(f1["elmo"] - f1["glove"]))


def _named(name: str, found: Interval) -> Figures:
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}


def main() -> None:
    """Write benchmarks/results/contextual.json."""
    settings = read_settings(SETTINGS, ContextualStudy)
    contexts = Contexts(BUNDLES / "vectors", threads=threads())
    glove = WordVectors.load(VECTORS / "vectors/glove-6b")
    snippets = read_snippets(RAW / "movie-reviews")
    shares = settings.valid_share, settings.test_share
    with track(NAME, "vectors") as run, TemporaryDirectory(prefix="seqline-") as scratch:
        features = make_features(snippets, shares, settings.split_seed, glove, contexts, Path(scratch) / "splits")
        figures = compare(settings, features, Path(scratch))
        sizes = {f"{name}_snippets": float(len(split)) for name, split in features.splits.items()}
        figures |= {**sizes, "seeds": float(len(settings.seeds)), "glove_out_of_vocabulary": features.unknown}
        run.metrics(figures)
    record(NAME, f"make study NAME={NAME}", PACKAGES, figures)


if __name__ == "__main__":
    try:
        main()
    except StageError as error:
        fail(str(error))
