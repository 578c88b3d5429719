"""Stage `compare`: compare word vectors. `python -m pipelines.stages.compare VECTORS`."""

from dataclasses import replace
from pathlib import Path

from models.text.json_files import write_json
from models.text.one_hot import Embedding, OneHot
from models.text.vectors import VOCABULARY, WordVectors
from models.text.words import WordVocabulary
from pipelines.data.catalogue import find_data_set, load_catalogue
from pipelines.data.corpora.words import COUNTS
from pipelines.data.series.market import Market
from pipelines.data.series.source import read_series
from pipelines.embedding.sentences import read_corpus
from pipelines.evaluation.comovements import evaluate_comovements
from pipelines.evaluation.contexts import Usage, compare_contexts, sentences_with
from pipelines.evaluation.findings import Report, Table
from pipelines.evaluation.vectors import evaluate_vectors
from pipelines.paths import BUNDLES, CATALOGUE, METRICS, PLOTS, PREPARED, RAW, VECTORS
from pipelines.settings.params import Params, load_params
from pipelines.settings.section import NONE
from pipelines.settings.vectors import ComovementQuestions, Method, OneHotVectors, WordQuestions
from pipelines.stage import rounded, run_stage, threads
from pipelines.tracking.runs import track
from serving.predictors.contexts import Contexts
from serving.predictors.vectors import WordSpaces

LENGTHS = range(6, 26)  # of example sentences, in words: long enough for a context, short enough to read


def load_embedding(settings: Method, folder: Path) -> Embedding:
    """Load a method's vectors, as written by the embed stage."""
    return OneHot.load(folder) if isinstance(settings, OneHotVectors) else WordVectors.load(folder)


def evaluate_contexts(settings: WordQuestions, prepared: Path, bundle: Path) -> tuple[dict[str, float], Table]:
    """Evaluate some words in sentences of the corpus with the served model; see `compare_contexts`."""
    vocabulary, corpus = WordVocabulary.load(prepared / VOCABULARY), read_corpus(prepared / "train")
    contexts = Contexts(bundle, threads=threads())
    found = {word: sentences_with(word, corpus, vocabulary, settings.contexts, LENGTHS) for word in settings.contexts_of}
    usages = [Usage.read(contexts, word, sentences) for word, sentences in found.items() if len(sentences) > 1]
    return compare_contexts(usages, settings.contexts_shown, settings.neighbours)


def ask_words(name: str, params: Params, settings: WordQuestions) -> Report:
    """Evaluate all methods of a block on the same questions, and the contextual one on words in sentences."""
    methods = {method: load_embedding(made, VECTORS / name / method) for method, made in params.methods_of(name).items()}
    prepared, contextual = PREPARED / settings.corpus, params.word_vectors(name).export.contextual
    all_words = WordVocabulary.load(prepared / COUNTS)
    counts = dict(zip(all_words.words, all_words.counts.tolist(), strict=True))
    report = evaluate_vectors(methods, RAW / settings.set, counts, settings)
    if contextual == NONE:
        return report
    in_context, table = evaluate_contexts(settings, prepared, BUNDLES / name)
    metrics = {**report.metrics, **{f"{Path(contextual).name}.{key}": value for key, value in in_context.items()}}
    return replace(report, metrics=metrics, tables={**report.tables, "contexts.csv": table} if table else report.tables)


def ask_stocks(name: str, params: Params, settings: ComovementQuestions) -> Report:
    """Evaluate how well the served vectors of a block predict which stocks move together."""
    data_set = find_data_set(load_catalogue(CATALOGUE), settings.set)
    market = Market.of(read_series(data_set, settings.set, RAW / settings.set))
    return evaluate_comovements(WordSpaces.load(BUNDLES / name), market, settings, params.seed)


def main(name: str) -> None:
    """Write metrics/VECTORS.json and plots/evaluate/VECTORS."""
    params = load_params()
    settings = params.word_vectors(name).evaluate
    with track("compare", name) as run:
        if isinstance(settings, ComovementQuestions):
            report = ask_stocks(name, params, settings)
        else:
            report = ask_words(name, params, settings)
        metrics = rounded(report.metrics)
        write_json(METRICS / f"{name}.json", metrics)
        report.write_plots(PLOTS / "evaluate" / name)
        run.metrics(metrics)
        run.artifacts(PLOTS / "evaluate" / name)


if __name__ == "__main__":
    run_stage(main)
