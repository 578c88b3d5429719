"""Settings of the corpora."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.settings.section import Count, Date, Positive, PositiveFloat, Section


class WordsPrepare(Section):
    """How running text becomes sentences of word ids."""

    min_count: Positive
    limit: Count


class StreamPrepare(Section):
    """How a corpus becomes the rows that an n-gram model predicts."""

    rare: Count
    order: Annotated[int, Field(ge=2)]
    row_words: Positive
    train_words: Positive
    valid_words: Positive
    limit: Count


class ComoversPrepare(Section):
    """How days of a market become sentences: last day, scaling of returns, and threshold of a stock's move."""

    until: Date
    scale_days: Positive
    threshold: PositiveFloat


class CorpusData(Section):
    """Data source of a corpus."""

    set: str


class Sentences(Section):
    """Sentences of running text, whose order does not matter."""

    form: Literal["sentences"]
    data: CorpusData
    prepare: WordsPrepare


class Stream(Section):
    """One long text, cut into consecutive rows, for n-gram models."""

    form: Literal["stream"]
    data: CorpusData
    prepare: StreamPrepare


class Comovers(Section):
    """Days of a market, each as the stocks that rose most and those that fell most."""

    form: Literal["comovers"]
    data: CorpusData
    prepare: ComoversPrepare


Corpus = Annotated[Sentences | Stream | Comovers, Field(discriminator="form")]
