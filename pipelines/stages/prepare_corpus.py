"""Stage `prepare-corpus`: turn raw data into word ids and a vocabulary. `python -m pipelines.stages.prepare_corpus CORPUS`."""

import shutil
from pathlib import Path

from models.text.json_files import write_json
from pipelines.data.catalogue import DataSet, find_data_set, load_catalogue
from pipelines.data.corpora.comovers import prepare_comovers
from pipelines.data.corpora.sentences import sentences_of
from pipelines.data.corpora.stream import prepare_stream
from pipelines.data.corpora.words import prepare_words
from pipelines.data.reading.rows import sources_of
from pipelines.data.series.market import Market
from pipelines.data.series.source import read_series
from pipelines.paths import CATALOGUE, METRICS, PREPARED, RAW
from pipelines.settings.corpora import Comovers, Corpus, Stream
from pipelines.settings.params import load_params
from pipelines.stage import run_stage


def prepare_corpus(corpus: Corpus, data_set: DataSet, raw: Path, folder: Path) -> dict[str, float]:
    """Read a corpus and write it into `folder`.

    Args:
        corpus: its block.
        data_set: its data set in the catalogue.
        raw: folder of the downloaded data set.
        folder: output folder, replaced if it exists.

    Returns:
        statistics.

    Raises:
        StageError: the corpus is damaged or too short.
    """
    shutil.rmtree(folder, ignore_errors=True)
    if isinstance(corpus, Comovers):
        return prepare_comovers(Market.of(read_series(data_set, corpus.data.set, raw)), corpus.prepare, folder)
    texts = (row.text for source in sources_of(data_set, corpus.data.set) for row in source.rows(raw))
    if isinstance(corpus, Stream):
        return prepare_stream(texts, corpus.prepare, folder)
    return prepare_words(sentences_of(texts), corpus.prepare, folder)


def main(name: str) -> None:
    """Write data/prepared/CORPUS and metrics/data/CORPUS.json."""
    corpus = load_params().corpus(name)
    data_set = find_data_set(load_catalogue(CATALOGUE), corpus.data.set)
    statistics = prepare_corpus(corpus, data_set, RAW / corpus.data.set, PREPARED / name)
    write_json(METRICS / "data" / f"{name}.json", statistics)


if __name__ == "__main__":
    run_stage(main)
