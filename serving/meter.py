"""What a server counts of its models' work, and who does the counting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Text:
    """One text and its answer, in numbers.

    Attributes:
        length: what the model read, in its own units: characters, subwords, words.
        unknown: how many of these it does not know.
        produced: units of text that it wrote.
        label: the class that it found most probable, where it classifies.
    """

    length: int
    unknown: int = 0
    produced: int = 0
    label: str | None = None


@dataclass(frozen=True)
class Batch:
    """One call of a predictor.

    Attributes:
        replies: how many requests had each HTTP status and code of an error, "" for none.
        texts: those that were answered.
        read_s: seconds that parsing, checking and tokenizing them took.
        model_s: that the model's graphs took.
        write_s: that the rest took: what is made of the graphs' outputs.
    """

    replies: Mapping[tuple[int, str], int]
    texts: Sequence[Text]
    read_s: float
    model_s: float
    write_s: float


class Meter(Protocol):
    """Is told what a predictor did."""

    def batch(self, batch: Batch, /) -> None:
        """A call has ended."""
