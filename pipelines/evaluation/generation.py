"""How well a generator of names knows real ones, and whether what it makes is new."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from models.text.characters import CharacterTokenizer
from models.text.special import BOS, EOS
from pipelines.evaluation.ngram import LabelledNGram
from pipelines.evaluation.report import Report
from pipelines.preparation.prepared import read_texts
from pipelines.settings.tasks import NamesEvaluate
from pipelines.stage import threads
from serving.predictors.classification import Classifier
from serving.predictors.generation import Generator, Prompt
from serving.sampling import Sampling

SHOWN = 5  # samples of each label to look at


def evaluate_generation(bundle: Path, prepared: Path, settings: NamesEvaluate, seed: int, judge: Path) -> Report:
    """Measure what the test split costs under the exported model and under an n-gram baseline, and draw names.

    Args:
        bundle: the exported model.
        prepared: what the prepare stage made of the same task.
        settings: see params.yaml.
        seed: of the labels and of the names drawn.
        judge: the exported classifier of the same labels.

    Returns:
        bits_per_char of names given their labels, EOS counted; novel_share, of the drawn names that are not in the training
        split, and unique_share, of the distinct ones, whatever their case; nearest_distance, of a novel name to the training
        name that is nearest to it, in edits; label_agreement, how often the judge takes a novel name for one of the label
        asked for; the baseline's bits and what it was tuned to. A few drawn names of each label as a table.

    Raises:
        BundleError: a folder is no intact bundle of its kind.
    """
    test, train = read_texts(prepared, "test", settings.limit), read_texts(prepared, "train")
    generator = Generator.load(bundle, threads=threads())
    bits, predicted = generator.bits(test["name"], test["label"], batch_size=settings.batch_size)
    labels = np.random.default_rng(seed).choice(train["label"], settings.samples).tolist()  # in the split's proportions
    known = {name.casefold() for name in train["name"]}
    drawn = [name.casefold() for name in _draw(generator, labels, settings, seed)]
    novel = [(name, label) for name, label in zip(drawn, labels, strict=True) if name and name not in known]
    return Report(
        metrics={
            "bits_per_char": float(bits.sum() / predicted.sum()),
            "novel_share": sum(name not in known for name in drawn) / len(drawn),
            "unique_share": len(set(drawn)) / len(drawn),
            **_judged(novel, known, judge),
            **_baseline(generator.tokenizer, prepared, test),
        },
        tables={"samples.csv": _samples(generator, known, settings, seed)},
    )


def _judged(novel: Sequence[tuple[str, str]], known: set[str], judge: Path) -> dict[str, float]:
    """How far novel names are from known ones, and how often they are taken for what they were meant to be.

    Without a novel name both are 0; the second is not there where the judge knows other labels.
    """
    if not novel:
        return {"nearest_distance": 0.0, "label_agreement": 0.0}
    names, labels = zip(*novel, strict=True)
    distances = cdist(names, sorted(known), scorer=Levenshtein.distance, dtype=np.uint8, workers=threads())  # [N, known]
    found = {"nearest_distance": float(distances.min(axis=1).mean())}
    classifier = Classifier.load(judge, threads=threads())
    if set(labels) <= set(classifier.bundle.labels):
        taken_for = [classifier.bundle.labels[i] for i in classifier.probabilities(names).argmax(axis=1)]
        found["label_agreement"] = float(np.mean(np.array(taken_for) == np.array(labels)))
    return found


def _samples(generator: Generator, known: set[str], settings: NamesEvaluate, seed: int) -> list[dict[str, str]]:
    """Rows of label, name, and whether the name is a novel one."""
    labels = [label for label in generator.bundle.labels for _ in range(SHOWN)]
    names = _draw(generator, labels, settings, seed)
    novel = ["no" if name.casefold() in known else "yes" for name in names]
    return [{"label": row[0], "name": row[1], "novel": row[2]} for row in zip(labels, names, novel, strict=True)]


def _draw(generator: Generator, labels: Sequence[str], settings: NamesEvaluate, seed: int) -> list[str]:
    """A name for each label. Each has its own random numbers, so that the batch size does not matter."""
    sampling, longest = Sampling(temperature=settings.temperature), generator.bundle.max_length
    numbers = np.random.default_rng(seed).spawn(len(labels))
    prompts = [Prompt("", label, sampling, rng, longest) for label, rng in zip(labels, numbers, strict=True)]
    return generator.generate(prompts, batch_size=settings.batch_size)


def _baseline(tokenizer: CharacterTokenizer, prepared: Path, test: dict[str, list[str]]) -> dict[str, float]:
    """The n-gram model's bits over the very ids that the neural model predicts."""

    def framed(names: Sequence[str]) -> list[list[int]]:
        return [[BOS, *tokenizer.encode(name), EOS] for name in names]

    train, valid = read_texts(prepared, "train"), read_texts(prepared, "valid")
    model = LabelledNGram(framed(train["name"]), train["label"], size=tokenizer.size)
    smoothing = model.tune(framed(valid["name"]), valid["label"])
    return {
        "baseline_bits_per_char": model.bits_per_unit(framed(test["name"]), test["label"], smoothing),
        "baseline_discount": smoothing.discount,
        "baseline_label_weight": smoothing.label_weight,
    }
