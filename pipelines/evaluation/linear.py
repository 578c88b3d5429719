"""The classification baseline: logistic regression on n-grams."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joblib import Parallel, delayed
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import FeatureUnion

from models.text.words import words_of

INVERSE_PENALTIES = (1.0, 3.0, 10.0)  # values of C to choose from
TOLERANCE = 1e-3  # of the gradient; a tenth of it takes twice the time and hardly changes a prediction
MOST_ROWS = 50_000  # training rows at most: more take minutes and gigabytes

Split = Mapping[str, Sequence[str]]  # columns text and label


@dataclass(frozen=True)
class LinearBaseline:
    """The predictions of logistic regression, and the C that it was trained with."""

    predicted: list[str]
    inverse_penalty: float


def linear_baseline(train: Split, valid: Split, texts: Sequence[str], *, words: bool) -> LinearBaseline:
    """Train on one split, choose C by the macro F1 on another, and classify `texts`.

    The features are n-grams of 1 to 5 characters with the ends of the text marked, weighted by tf-idf; with `words`, character
    n-grams within words, and n-grams of 1 and 2 words. n-grams that occur in a single training text are left out, as in the
    neural models' vocabulary. From a larger training split MOST_ROWS evenly spaced rows are used, since it may be sorted by
    length or label.
    """
    rows = len(train["text"])
    taken = [i * rows // MOST_ROWS for i in range(MOST_ROWS)] if rows > MOST_ROWS else range(rows)
    texts_known, labels = [train["text"][i] for i in taken], [train["label"][i] for i in taken]
    vectorizer = _of_words() if words else TfidfVectorizer(analyzer="char", ngram_range=(1, 5), min_df=2, preprocessor=_mark_ends)
    features, held_out = vectorizer.fit_transform(texts_known), vectorizer.transform(valid["text"])
    best = fitted(features, labels, held_out, valid["label"])
    return LinearBaseline(best.predict(vectorizer.transform(texts)).tolist(), best.C)


def fitted(features: Any, labels: Sequence[str], held_out: Any, held_out_labels: Sequence[str]) -> LogisticRegression:
    """Logistic regression with the C of INVERSE_PENALTIES that has the best macro F1 on held-out rows.

    Args:
        features: training features, a dense or sparse matrix, [N, F].
        labels: training labels, [N].
        held_out: features of the held-out rows, [M, F].
        held_out_labels: their labels, [M].
    """
    untrained = [LogisticRegression(C=c, tol=TOLERANCE, max_iter=500) for c in INVERSE_PENALTIES]
    models = Parallel(n_jobs=-1)(delayed(model.fit)(features, labels) for model in untrained)  # each fit uses one core
    return max(models, key=lambda m: f1_score(held_out_labels, m.predict(held_out), average="macro", zero_division=0))


def _of_words() -> FeatureUnion:
    words = TfidfVectorizer(tokenizer=words_of, token_pattern=None, ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 5), min_df=2, sublinear_tf=True)
    return FeatureUnion([("words", words), ("characters", characters)])


def _mark_ends(text: str) -> str:
    return f"^{text}$"
