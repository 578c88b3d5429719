"""Settings of the corpora."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.settings.section import Count, Positive, Section


class WordsPrepare(Section):
    """How running text becomes sentences of word ids."""

    min_count: Positive
    limit: Count


class StreamPrepare(Section):
    """How a corpus becomes the rows that an n-gram model predicts."""

    rare: Count
    order: Annotated[int, Field(ge=2)]
    row_words: Positive
    limit: Count


class Reviews(Section):
    """Sentences of movie reviews."""

    dataset: Literal["movie-reviews"]
    prepare: WordsPrepare


class Brown(Section):
    """The Brown corpus."""

    dataset: Literal["brown"]
    prepare: StreamPrepare
