"""Evaluates a classifier: accuracy, compared with linear baselines, and calibration."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.text.vectors import VECTORS
from models.text.word_tokenizer import WordTokenizer
from pipelines.data.prepared import TOKENIZER, read_texts, read_vectors
from pipelines.evaluation.findings import Report, Table
from pipelines.evaluation.linear import Split, fitted, linear_baseline
from pipelines.evaluation.scores import Scores
from pipelines.kinds.classification.evaluation.behaviour import invariance, letters_matter
from pipelines.kinds.classification.evaluation.scores import right, scored
from pipelines.kinds.classification.settings import CharactersTask, ClassificationTask
from pipelines.stage import threads
from serving.predictors.classification import Classified, Classifier

STATED = ("accuracy_ceiling", "repeat_agreement")  # the best accuracy that can be expected


def evaluate(bundle: Path, prepared: Path, task: ClassificationTask, seed: int) -> Report:
    """Classify the test split with the exported model and with linear baselines.

    Args:
        bundle: the exported model.
        prepared: the prepare stage's output for the same task.
        task: see params.yaml.
        seed: of the letters' order in shuffled texts.

    Returns:
        the report of `scored`, with the scores of logistic regression on n-grams as baseline_..., its C, and, if the task
        starts from pretrained vectors, the scores of logistic regression on their mean as averaged_.... For a classifier of
        characters also the metrics of `behaviour`; for others out_of_vocabulary, the share of test units that are unknown to
        the model, and the attention on the first texts as a table.

    Raises:
        BundleError: the folder is not an intact classification bundle.
    """
    splits = [read_texts(prepared, "train"), read_texts(prepared, "valid"), read_texts(prepared, "test", task.evaluate.limit)]
    train, valid, test = splits
    classifier = Classifier.load(bundle, threads=threads())
    found = classifier.classify(test["text"], batch_size=task.evaluate.batch_size)
    baseline = linear_baseline(train, valid, test["text"], words=not isinstance(task, CharactersTask))
    answers = {"baseline": baseline.predicted, **_averaged(prepared, splits)}
    report = scored(test["label"], found.probabilities, classifier.bundle, answers)
    scores = right(test, found.probabilities, classifier.bundle)
    metrics = {**report.metrics, "baseline_inverse_penalty": baseline.inverse_penalty}
    if isinstance(task, CharactersTask):
        behaviour = _behaviour(classifier, found, train, test, task.evaluate.batch_size, seed)
        return Report({**metrics, **behaviour}, report.tables, scores=scores)
    units = [known for text in test["text"] for _, known in classifier.tokens(text)]
    importances = _importances(classifier, test, found, task.evaluate.shown)
    metrics["out_of_vocabulary"] = units.count(False) / len(units)
    return Report(metrics, {**report.tables, "importances.tsv": importances}, scores=scores)


def score(bundle: Path, prepared: Path, task: ClassificationTask) -> Scores:
    """Whether each test text gets its label; by label and by length."""
    texts = read_texts(prepared, "test", task.evaluate.limit)
    classifier = Classifier.load(bundle, threads=threads())
    probabilities = classifier.probabilities(texts["text"], batch_size=task.evaluate.batch_size)
    return right(texts, probabilities, classifier.bundle)


def _averaged(prepared: Path, splits: Sequence[Split]) -> Mapping[str, list[str]]:
    """Predictions of logistic regression on the mean of each text's pretrained vectors; an unknown word is a zero vector."""
    if not (prepared / VECTORS).exists():
        return {}
    tokenizer, vectors = WordTokenizer.load(prepared / TOKENIZER), np.array(read_vectors(prepared))

    def means(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([vectors[tokenizer.encode(text)].mean(axis=0) for text in texts])  # [N, d]

    train, valid, test = (means(split["text"]) for split in splits)
    best = fitted(train, splits[0]["label"], valid, splits[1]["label"])
    return {"averaged": best.predict(test).tolist()}


def _behaviour(
    classifier: Classifier, found: Classified, train: Split, test: Split, batch_size: int, seed: int
) -> dict[str, float]:
    """See `behaviour`. Prepared texts have the same normalization as the model's tokenizer, so both see the same text."""
    labels = classifier.bundle.labels

    def classify(texts: Sequence[str]) -> list[str]:
        return [labels[i] for i in classifier.probabilities(texts, batch_size=batch_size).argmax(axis=1)]

    predicted = [labels[i] for i in found.probabilities.argmax(axis=1)]
    kept = invariance(classify, test["text"], predicted)
    return {**kept, **letters_matter(classify, test["text"], test["label"], train, seed)}


def _importances(classifier: Classifier, test: Split, found: Classified, shown: int) -> Table:
    """The first texts' units with their attention weights, the largest first."""
    rows: list[dict[str, str | int | float]] = []
    for i, (text, label) in enumerate(zip(test["text"][:shown], test["label"], strict=False)):
        pairs = zip(found.importances[i].tolist(), (unit for unit, _ in classifier.tokens(text)), strict=True)
        attended = " ".join(f"{unit} {share:.2f}" for share, unit in sorted(pairs, reverse=True))
        best = int(found.probabilities[i].argmax())
        predicted = classifier.bundle.labels[best]
        score = round(float(found.probabilities[i, best]), 4)
        rows.append({"text": text, "label": label, "predicted": predicted, "score": score, "attention": attended})
    return rows
