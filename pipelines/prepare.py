"""Stage `prepare`: from a raw data set to checked splits, a vocabulary and statistics. `python -m pipelines.prepare NAME`."""

import shutil
from pathlib import Path

from pipelines.corpora.names import read_names
from pipelines.corpora.parallel import read_debian
from pipelines.corpora.reviews import read_reviews
from pipelines.params import Params, load_params
from pipelines.paths import METRICS, PREPARED, RAW
from pipelines.preparation.brown import prepare_brown
from pipelines.preparation.checks import check_names, check_pairs
from pipelines.preparation.names import prepare_names
from pipelines.preparation.pairs import prepare_pairs
from pipelines.preparation.prepared import Prepared
from pipelines.preparation.words import prepare_words
from pipelines.settings.corpora import Brown, Reviews
from pipelines.settings.tasks import Task, TranslationTask
from pipelines.stage import run_stage, write_json


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
        prepared = prepare_pairs(read_debian(raw), settings.prepare, seed)
        check_pairs(prepared, settings.prepare.max_words)
    else:
        prepared = prepare_names(read_names(settings.dataset, raw), settings.prepare, seed)
        check_names(prepared, settings.prepare.max_length)
    return prepared


def main(name: str) -> None:
    """Write data/prepared/NAME and metrics/data/NAME.json."""
    write_json(METRICS / "data" / f"{name}.json", prepare(name, load_params(), PREPARED / name))


if __name__ == "__main__":
    run_stage(main)
