"""Intrinsic evaluation of all word vectors in one table: analogies, similarity, nearest neighbours and a map."""

from collections.abc import Mapping
from pathlib import Path

from models.text.one_hot import Embedding
from models.text.vectors import UnknownWord, WordVectors
from pipelines.evaluation.findings import Report, Table
from pipelines.evaluation.maps import word_map
from pipelines.evaluation.words import Analogies, analogies, out_of_vocabulary, read_pairs, read_questions, similarity
from pipelines.settings.vectors import WordQuestions

FILES = "gensim/test/test_data"  # folder of the files in the data set word-relations
PAIRS = {"wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}


def evaluate_vectors(
    methods: Mapping[str, Embedding], relations: Path, counts: Mapping[str, int], settings: WordQuestions
) -> Report:
    """Evaluate all methods on the same questions.

    Args:
        methods: name -> vectors.
        relations: folder of the data set word-relations.
        counts: word -> its count in running text, for the out-of-vocabulary rate.
        settings: see params.yaml.

    Returns:
        metrics as METHOD.measure, tables, and a map of the methods with dense vectors.
    """
    questions = read_questions(relations / FILES / "questions-words.txt")
    pairs = {name: read_pairs(relations / FILES / file) for name, file in PAIRS.items()}
    answered = {name: analogies(vectors, questions, settings.vocabulary_limit) for name, vectors in methods.items()}
    metrics: dict[str, float | str] = {}
    for name, vectors in methods.items():
        metrics |= {f"{name}.{key}": value for key, value in _accuracies(answered[name]).items()}
        for data, rated in pairs.items():
            agreement = similarity(vectors, rated)
            metrics |= {f"{name}.{data}_covered": agreement.covered}
            if agreement.rho is not None:
                metrics |= {f"{name}.{data}_rho": agreement.rho}
        metrics[f"{name}.out_of_vocabulary"] = out_of_vocabulary(vectors.vocabulary, counts)
    return Report(
        metrics=metrics,
        tables={"sections.csv": _sections(answered), "neighbours.csv": _neighbours(methods, settings)},
        figures={
            f"map/{name}.png": word_map(name, vectors, settings.groups)
            for name, vectors in methods.items()
            if isinstance(vectors, WordVectors)
        },
    )


def _accuracies(answered: Analogies) -> dict[str, float]:
    return {
        "semantic": answered.semantic.accuracy,
        "syntactic": answered.syntactic.accuracy,
        "analogies": answered.total.accuracy,
        "analogies_asked": answered.total.asked,
    }


def _sections(answered: Mapping[str, Analogies]) -> Table:
    return [
        {"method": name, "section": section, "accuracy": score.accuracy, "asked": score.asked}
        for name, scores in answered.items()
        for section, score in scores.sections.items()
    ]


def _neighbours(methods: Mapping[str, Embedding], settings: WordQuestions) -> Table:
    return [
        {"word": word, "method": name, "neighbours": _nearest(vectors, word, settings.neighbours)}
        for word in settings.neighbours_of
        for name, vectors in methods.items()
    ]


def _nearest(vectors: Embedding, word: str, k: int) -> str:
    try:
        return " ".join(near for near, _ in vectors.nearest(word, k))
    except UnknownWord:
        return "(unknown)"
