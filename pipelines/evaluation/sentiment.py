"""How well a classifier of sentences does beside two that know no order of words."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from models.text.word_tokenizer import WordTokenizer
from pipelines.evaluation.classification import scored
from pipelines.evaluation.linear import Split, fitted
from pipelines.evaluation.report import Report, Table
from pipelines.preparation.prepared import read_texts, read_vectors
from pipelines.settings.tasks import SentimentEvaluate
from pipelines.stage import threads
from serving.predictors.classification import Classified, Classifier

Features = Sequence[Any]  # matrices of train, valid and test


def evaluate_sentiment(bundle: Path, prepared: Path, settings: SentimentEvaluate) -> Report:
    """Classify the test split with the exported model and with two linear baselines.

    Args:
        bundle: the exported model.
        prepared: what the prepare stage made of the same task.
        settings: see params.yaml.

    Returns:
        what `scored` gives, with the baselines' figures as tfidf_... and averaged_...; out_of_vocabulary, the share of the
        test words that the model does not know. What the attention fell on in the first sentences as a table.

    Raises:
        BundleError: the folder is no intact classification bundle.
    """
    train, valid = read_texts(prepared, "train"), read_texts(prepared, "valid")
    test = read_texts(prepared, "test", settings.limit)
    classifier = Classifier.load(bundle, threads=threads())
    found = classifier.classify(test["text"], batch_size=settings.batch_size)
    tokenizer = WordTokenizer.load(prepared / "tokenizer.json")
    vectors = np.array(read_vectors(prepared))
    averaged = [_averages(split["text"], tokenizer, vectors) for split in (train, valid, test)]
    baselines = {"tfidf": _answers(_tfidf(train, valid, test), train, valid), "averaged": _answers(averaged, train, valid)}
    report = scored(test["label"], found.probabilities, classifier.bundle, baselines)
    words = [known for text in test["text"] for _, known in classifier.words(text)]
    return replace(
        report,
        metrics={**report.metrics, "out_of_vocabulary": words.count(False) / len(words)},
        tables={**report.tables, "importances.tsv": _importances(classifier, test, found, settings.shown)},
    )


def _tfidf(train: Split, valid: Split, test: Split) -> Features:
    """Words and pairs of neighbours that occur in two training sentences or more, weighted by tf-idf."""
    vectorizer = TfidfVectorizer(tokenizer=str.split, token_pattern=None, ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    return [vectorizer.fit_transform(train["text"]), *(vectorizer.transform(split["text"]) for split in (valid, test))]


def _averages(texts: Sequence[str], tokenizer: WordTokenizer, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of each text's word vectors, [N, d]; an unknown word counts as zero."""
    return np.stack([vectors[tokenizer.encode(text)].mean(axis=0) for text in texts])


def _answers(features: Features, train: Split, valid: Split) -> list[str]:
    known, held_out, asked = features
    answers: list[str] = fitted(known, train["label"], held_out, valid["label"]).predict(asked).tolist()
    return answers


def _importances(classifier: Classifier, test: Split, found: Classified, shown: int) -> Table:
    """The first sentences' words with their share of the attention, the largest share first."""
    rows = []
    for i, (text, label) in enumerate(zip(test["text"][:shown], test["label"], strict=False)):
        pairs = zip(found.importances[i].tolist(), (word for word, _ in classifier.words(text)), strict=True)
        attended = " ".join(f"{word} {share:.2f}" for share, word in sorted(pairs, reverse=True))
        scores = dict(zip(classifier.bundle.labels, found.probabilities[i].tolist(), strict=True))
        rows.append({"text": text, "label": label, **scores, "attended": attended})
    return rows
