"""Evaluates a text generator: bits per character, and novelty and diversity of its samples."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from models.text.characters import CharacterTokenizer
from models.text.special import BOS, EOS, UNK
from pipelines.data.prepared import read_texts
from pipelines.evaluation.findings import Report
from pipelines.evaluation.linear import Split, linear_baseline
from pipelines.evaluation.ngram import LabelledNGram
from pipelines.evaluation.scores import Scores, by_length
from pipelines.kinds.generation.settings import GenerationEvaluate, GenerationTask
from pipelines.stage import threads
from serving.predictors.generation import Generator, Prompt
from serving.predictors.sampling import Sampling

SHOWN = 5  # samples per label in the table
SPELLED = 16.0  # bits of a character outside the vocabulary, as for a code of 65,536 characters


STATED: tuple[str, ...] = ()


def evaluate(bundle: Path, prepared: Path, task: GenerationTask, seed: int) -> Report:
    """Measure bits per character of the exported model and of an n-gram baseline on the test split, and sample names.

    Args:
        bundle: the exported model.
        prepared: the prepare stage's output for the same task.
        task: see params.yaml.
        seed: of the labels and the sampled names.

    Returns:
        bits_per_char of names given their labels, including EOS; novel_share, the share of sampled names that are not in the
        training split, and unique_share, the share of distinct ones, both ignoring case; nearest_distance, the mean edit
        distance from a novel name to the nearest training name; label_agreement, how often a linear classifier, trained on
        the same training split, assigns a novel name to the requested label; the baseline's bits and its tuned parameters.
        A few sampled names of each label as a table.

    Raises:
        BundleError: the folder is not an intact bundle of this kind.
    """
    settings = task.evaluate
    test = read_texts(prepared, "test", settings.limit)
    train, valid = read_texts(prepared, "train"), read_texts(prepared, "valid")
    generator = Generator.load(bundle, threads=threads())
    scores = _scores(generator, test, settings.batch_size)
    labels = np.random.default_rng(seed).choice(train["label"], settings.samples).tolist()  # in the split's proportions
    known = {name.casefold() for name in train["text"]}
    drawn = [name.casefold() for name in _draw(generator, labels, settings, seed)]
    novel = [(name, label) for name, label in zip(drawn, labels, strict=True) if name and name not in known]
    return Report(
        metrics={
            scores.name: scores.mean,
            "novel_share": sum(name not in known for name in drawn) / len(drawn),
            "unique_share": len(set(drawn)) / len(drawn),
            **_judged(novel, known, train, valid),
            **_baseline(generator.tokenizer, train, valid, test),
        },
        tables={"samples.csv": _samples(generator, known, settings, seed)},
        scores=scores,
    )


def score(bundle: Path, prepared: Path, task: GenerationTask) -> Scores:
    """Bits of each name, given its label, per character of the mean name; by label and by length."""
    generator = Generator.load(bundle, threads=threads())
    return _scores(generator, read_texts(prepared, "test", task.evaluate.limit), task.evaluate.batch_size)


def _scores(generator: Generator, rows: Split, batch_size: int) -> Scores:
    """The bits of each row; their mean is the model's bits per character.

    A model with a smaller vocabulary must not win by reading unknown characters as one: each costs SPELLED bits. So does each
    character of a name whose label the model does not know.
    """
    known = np.array([label in generator.bundle.labels for label in rows["label"]])
    asked = [label if label in generator.bundle.labels else generator.bundle.labels[0] for label in rows["label"]]
    bits, predicted = generator.bits(rows["text"], asked, batch_size=batch_size)
    unknown = np.array([generator.tokenizer.encode(text).count(UNK) for text in rows["text"]])
    values = np.where(known, bits + SPELLED * unknown, SPELLED * predicted) / predicted.mean()
    slices = {"label": rows["label"], "length": by_length(rows["text"])}
    return Scores("bits_per_char", values, larger_is_better=False, slices=slices)


def _judged(novel: Sequence[tuple[str, str]], known: set[str], train: Split, valid: Split) -> dict[str, float]:
    """The distance of novel names from known ones, and how often a classifier assigns them to the requested label.

    Without a novel name both are 0; the second is left out if there is only one label.
    """
    if not novel:
        return {"nearest_distance": 0.0, "label_agreement": 0.0}
    names, labels = zip(*novel, strict=True)
    distances = cdist(names, sorted(known), scorer=Levenshtein.distance, dtype=np.uint8, workers=threads())  # [N, known]
    found = {"nearest_distance": float(distances.min(axis=1).mean())}
    if len(set(train["label"])) > 1:
        taken_for = linear_baseline(train, valid, names, words=False).predicted
        found["label_agreement"] = float(np.mean(np.array(taken_for) == np.array(labels)))
    return found


def _samples(generator: Generator, known: set[str], settings: GenerationEvaluate, seed: int) -> list[dict[str, str]]:
    """Rows with a label, a name, and whether the name is novel."""
    labels = [label for label in generator.bundle.labels for _ in range(SHOWN)]
    names = _draw(generator, labels, settings, seed)
    novel = ["no" if name.casefold() in known else "yes" for name in names]
    return [{"label": row[0], "name": row[1], "novel": row[2]} for row in zip(labels, names, novel, strict=True)]


def _draw(generator: Generator, labels: Sequence[str], settings: GenerationEvaluate, seed: int) -> list[str]:
    """A name for each label. Each has its own random generator, so the batch size has no effect."""
    sampling, longest = Sampling(temperature=settings.temperature), generator.bundle.max_length
    numbers = np.random.default_rng(seed).spawn(len(labels))
    prompts = [Prompt("", label, sampling, rng, longest) for label, rng in zip(labels, numbers, strict=True)]
    return generator.generate(prompts, batch_size=settings.batch_size)


def _baseline(tokenizer: CharacterTokenizer, train: Split, valid: Split, test: Split) -> dict[str, float]:
    """The n-gram model's bits on the same ids that the neural model predicts."""

    def framed(names: Sequence[str]) -> list[list[int]]:
        return [[BOS, *tokenizer.encode(name), EOS] for name in names]

    model = LabelledNGram(framed(train["text"]), train["label"], size=tokenizer.size)
    smoothing = model.tune(framed(valid["text"]), valid["label"])
    return {
        "baseline_bits_per_char": model.bits_per_unit(framed(test["text"]), test["label"], smoothing),
        "baseline_discount": smoothing.discount,
        "baseline_label_weight": smoothing.label_weight,
    }
