"""Stage `compare`: all word vectors, side by side. `python -m pipelines.compare vectors`."""

from dataclasses import replace
from pathlib import Path

from models.text.one_hot import Embedding, OneHot
from models.text.vectors import VOCABULARY, WordVectors
from models.text.words import WordVocabulary
from pipelines.embedding.sentences import read_corpus
from pipelines.evaluation.contexts import Usage, compare_contexts, sentences_with
from pipelines.evaluation.report import Table
from pipelines.evaluation.vectors import evaluate_vectors
from pipelines.params import RELATIONS, load_params
from pipelines.paths import BUNDLES, METRICS, PLOTS, PREPARED, RAW, VECTORS
from pipelines.preparation.words import COUNTS
from pipelines.settings.vectors import Method, OneHotVectors, VectorsEvaluate
from pipelines.stage import rounded, run_stage, threads, write_json
from pipelines.tracking import track
from serving.predictors.contexts import Contexts

LENGTHS = range(6, 26)  # of the sentences to look at, in words: long enough for a context, short enough to be read


def load_embedding(settings: Method, folder: Path) -> Embedding:
    """What the embed stage made of a method."""
    return OneHot.load(folder) if isinstance(settings, OneHotVectors) else WordVectors.load(folder)


def evaluate_contexts(settings: VectorsEvaluate, prepared: Path, bundle: Path) -> tuple[dict[str, float], Table]:
    """Look at some words in sentences of the corpus, by the model that is served; see `compare_contexts`."""
    vocabulary, corpus = WordVocabulary.load(prepared / VOCABULARY), read_corpus(prepared / "train")
    contexts = Contexts(bundle, threads=threads())
    found = {word: sentences_with(word, corpus, vocabulary, settings.contexts, LENGTHS) for word in settings.contexts_of}
    usages = [Usage.read(contexts, word, sentences) for word, sentences in found.items() if len(sentences) > 1]
    return compare_contexts(usages, settings.contexts_shown, settings.neighbours)


def main(name: str) -> None:
    """Write metrics/vectors.json and plots/evaluate/vectors."""
    params = load_params()
    methods = {method: load_embedding(settings, VECTORS / method) for method, settings in params.methods().items()}
    all_words = WordVocabulary.load(PREPARED / "reviews" / COUNTS)
    counts = dict(zip(all_words.words, all_words.counts.tolist(), strict=True))
    with track("compare", name) as run:
        report = evaluate_vectors(methods, RAW / RELATIONS, counts, params.vectors.evaluate)
        in_context, table = evaluate_contexts(params.vectors.evaluate, PREPARED / "reviews", BUNDLES / name)
        metrics = rounded({**report.metrics, **{f"elmo.{key}": value for key, value in in_context.items()}})
        write_json(METRICS / f"{name}.json", metrics)
        tables = {**report.tables, "contexts.csv": table} if table else report.tables
        replace(report, tables=tables).write_plots(PLOTS / "evaluate" / name)
        run.metrics(metrics)
        run.artifacts(PLOTS / "evaluate" / name)


if __name__ == "__main__":
    run_stage(main)
