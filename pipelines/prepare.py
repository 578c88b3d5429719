"""Stage `prepare`: from a raw data set to checked splits, a vocabulary and statistics. `python -m pipelines.prepare NAME`."""

import shutil
from pathlib import Path

from models.text.vectors import WordVectors
from pipelines.corpora.names import read_names
from pipelines.corpora.parallel import read_further, read_multi30k, read_pairs
from pipelines.corpora.reviews import read_reviews, read_snippets
from pipelines.corpora.sentiment import read_rated, read_trees
from pipelines.params import Params, load_params
from pipelines.paths import METRICS, PREPARED, RAW, VECTORS
from pipelines.preparation.brown import prepare_brown
from pipelines.preparation.checks import check_names, check_pairs, check_snippets
from pipelines.preparation.further import add_further
from pipelines.preparation.names import prepare_names
from pipelines.preparation.pairs import clean_training, prepare_pairs, split_pairs
from pipelines.preparation.prepared import SPLITS, Prepared
from pipelines.preparation.snippets import prepare_snippets, split_snippets, without_held_out
from pipelines.preparation.words import prepare_words
from pipelines.settings.corpora import Brown, Reviews
from pipelines.settings.tasks import SentimentTask, Task, TranslationTask
from pipelines.stage import run_stage, write_json

PRETRAINED = "glove-6b"  # the method whose vectors a classifier of sentences begins with


def prepare(name: str, params: Params, folder: Path) -> dict[str, float]:
    """Read, clean, split and check the data of one task or corpus, and write it into `folder`.

    Returns:
        statistics.

    Raises:
        StageError: a check failed.
    """
    settings = params.source(name)
    raw = RAW / settings.dataset
    shutil.rmtree(folder, ignore_errors=True)
    if isinstance(settings, Reviews):
        return prepare_words(read_reviews(raw), settings.prepare, folder)
    if isinstance(settings, Brown):
        return prepare_brown(raw, settings.prepare, folder)
    prepared = prepare_task(settings, raw, params.seed)
    prepared.write(folder)
    return prepared.summary()


def prepare_task(settings: Task, raw: Path, seed: int) -> Prepared:
    """The splits of one task. Raises StageError if a check fails."""
    if isinstance(settings, TranslationTask):
        prepared = prepare_translation(settings, raw, seed)
    elif isinstance(settings, SentimentTask):
        prepared = prepare_sentiment(settings, raw, seed)
        check_snippets(prepared)
    else:
        prepared = prepare_names(read_names(settings.dataset, raw), settings.prepare, seed)
        check_names(prepared, settings.prepare.max_length)
    return prepared


def prepare_translation(settings: TranslationTask, raw: Path, seed: int) -> Prepared:
    """The splits of sentence pairs: those that were published, or our own. Raises StageError if a check fails."""
    published = settings.dataset == "multi30k-fr-en"
    if published:
        splits, statistics = clean_training(read_multi30k(raw), settings.prepare)
    else:
        splits, statistics = split_pairs(read_pairs(settings.dataset, raw), settings.prepare, seed)
        if further := list(read_further(settings.dataset, raw)):
            splits, added = add_further(splits, further, settings.prepare, seed)
            statistics |= added
    prepared = prepare_pairs(splits, settings.prepare, statistics)
    check_pairs(prepared, settings.prepare, filtered=["train"] if published else SPLITS)
    return prepared


def prepare_sentiment(settings: SentimentTask, raw: Path, seed: int) -> Prepared:
    """The splits of rated sentences, with GloVe's vectors of their words."""
    if settings.dataset == "sst":
        splits, statistics = without_held_out(read_trees(raw, phrases=settings.prepare.phrases))
    else:
        splits, statistics = split_snippets(read_snippets(raw), read_rated(raw), settings.prepare.valid_share, seed)
    return prepare_snippets(splits, WordVectors.load(VECTORS / PRETRAINED), settings.prepare, statistics)


def main(name: str) -> None:
    """Write data/prepared/NAME and metrics/data/NAME.json."""
    write_json(METRICS / "data" / f"{name}.json", prepare(name, load_params(), PREPARED / name))


if __name__ == "__main__":
    run_stage(main)
