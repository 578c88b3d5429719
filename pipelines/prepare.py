"""Stage `prepare`: from a raw data set to checked splits, a tokenizer and statistics. `python -m pipelines.prepare TASK`."""

from pipelines.corpora.names import read_names
from pipelines.corpora.parallel import read_debian
from pipelines.params import Params, TranslationTask, load_params
from pipelines.paths import METRICS, PREPARED, RAW
from pipelines.preparation.checks import check_names, check_pairs
from pipelines.preparation.names import prepare_names
from pipelines.preparation.pairs import prepare_pairs
from pipelines.preparation.prepared import Prepared
from pipelines.stage import run_stage, write_json


def prepare(task: str, params: Params) -> Prepared:
    """Read, clean, split and check the data of one task. Raises StageError if a check fails."""
    settings = params.task(task)
    raw = RAW / settings.dataset
    if isinstance(settings, TranslationTask):
        prepared = prepare_pairs(read_debian(raw), settings.prepare, params.seed)
        check_pairs(prepared, settings.prepare.max_words)
    else:
        prepared = prepare_names(read_names(settings.dataset, raw), settings.prepare, params.seed)
        check_names(prepared, settings.prepare.max_length)
    return prepared


def main(task: str) -> None:
    """Write data/prepared/TASK and metrics/data/TASK.json."""
    prepared = prepare(task, load_params())
    prepared.write(PREPARED / task)
    write_json(METRICS / "data" / f"{task}.json", prepared.summary())


if __name__ == "__main__":
    run_stage(main)
