"""All word vectors in one table: what they know of analogies and of similarity, whom they hold for neighbours, a map."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.text.one_hot import Embedding
from models.text.vectors import UnknownWord, WordVectors
from pipelines.evaluation.report import Report, Table
from pipelines.evaluation.words import Analogies, analogies, out_of_vocabulary, read_pairs, read_questions, similarity
from pipelines.settings.vectors import VectorsEvaluate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILES = "gensim/test/test_data"  # where the data set word-relations has its files
PAIRS = {"wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}


def evaluate_vectors(
    methods: Mapping[str, Embedding], relations: Path, counts: Mapping[str, int], settings: VectorsEvaluate
) -> Report:
    """Ask all methods the same questions.

    Args:
        methods: name -> vectors.
        relations: the data set word-relations.
        counts: how often each word occurs in running text, of which the unknown share is told.
        settings: see params.yaml.

    Returns:
        metrics as METHOD.measure, tables, and a map of the methods that have one.
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
        figures={"map.png": _map(methods, settings.groups)},
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


def _neighbours(methods: Mapping[str, Embedding], settings: VectorsEvaluate) -> Table:
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


def _map(methods: Mapping[str, Embedding], groups: Mapping[str, list[str]]) -> "Figure":
    """A panel for each method that has vectors of few dimensions: the groups' words on their two principal components."""
    from matplotlib.figure import Figure  # half a second, which a wrong setting should not take to be told

    drawn = {name: vectors for name, vectors in methods.items() if isinstance(vectors, WordVectors)}
    columns = min(len(drawn), 2)
    rows = -(-len(drawn) // columns)
    figure = Figure(figsize=(7 * columns, 6 * rows), layout="constrained")
    panels: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel, (name, vectors) in zip(panels, drawn.items(), strict=False):
        _draw(panel, vectors, groups)
        panel.set_title(name)
    for panel in panels[len(drawn) :]:
        panel.set_axis_off()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(groups))
    return figure


def _draw(panel: "Axes", vectors: WordVectors, groups: Mapping[str, list[str]]) -> None:
    known = {group: [word for word in words if word in vectors.vocabulary] for group, words in groups.items()}
    words = [word for group in known.values() for word in group]
    matrix = np.stack([vectors.vector(word) for word in words])
    spots = dict(zip(words, principal(matrix / np.linalg.norm(matrix, axis=1, keepdims=True).clip(min=1e-12)), strict=True))
    for number, (group, members) in enumerate(known.items()):  # a group without known words keeps its colour for the others
        x, y = np.array([spots[word] for word in members]).reshape(-1, 2).T
        panel.scatter(x, y, s=12, label=group, color=f"C{number}")
    for word, (x, y) in spots.items():
        panel.annotate(word, (x, y), xytext=(2, 2), textcoords="offset points", fontsize=7)
    panel.tick_params(labelbottom=False, labelleft=False)


def principal(matrix: NDArray[np.floating]) -> NDArray[np.floating]:
    """The rows on their first two principal components, [N, d] -> [N, 2].

    A component and its opposite explain as much: the one is taken whose largest part is positive. (scikit-learn's PCA does the
    same, and takes seconds to import.)
    """
    centred = matrix - matrix.mean(axis=0)
    components = np.linalg.svd(centred, full_matrices=False)[2][:2]
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1, keepdims=True), axis=1)
    places: NDArray[np.floating] = centred @ (components * np.sign(largest)).T
    return places
