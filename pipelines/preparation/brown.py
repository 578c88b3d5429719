"""The Brown corpus as rows of word ids for n-gram models."""

from pathlib import Path

from models.text.vectors import VOCABULARY
from pipelines.corpora.brown import Stream, read_brown
from pipelines.settings.corpora import StreamPrepare
from pipelines.store import write_split


def prepare_brown(raw: Path, params: StreamPrepare, folder: Path) -> dict[str, float]:
    """Number the words and cut the stream into rows, split by split.

    Writes vocabulary.json, and for each split the column `words` as `pipelines.store.Split` reads it.

    Args:
        raw: what the download stage made.
        params: see params.yaml.
        folder: made if needed.

    Returns:
        statistics.

    Raises:
        StageError: the corpus is damaged or too short.
    """
    stream = Stream.number(read_brown(raw), params.rare)
    statistics: dict[str, float] = {"tokens": len(stream.ids), "vocabulary_size": len(stream.vocabulary)}
    for split, (start, end) in stream.bounds().items():
        rows = stream.windows(start, end, context=params.order - 1, length=params.row_words)[: params.limit or None]
        write_split(folder / split, {"words": rows})
        statistics[f"{split}_words"] = sum(len(row) - params.order + 1 for row in rows)
    stream.vocabulary.save(folder / VOCABULARY)
    return statistics
