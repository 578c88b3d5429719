"""What a server counts of its models' work, and who does the counting."""

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
        size: requests that came together.
        read_s: seconds that parsing, checking and tokenizing them took.
        model_s: that the model's graphs took.
        write_s: that the rest took: what is made of the graphs' outputs.
    """

    size: int
    read_s: float
    model_s: float
    write_s: float


class Meter(Protocol):
    """Is told what a predictor did."""

    def batch(self, batch: Batch, /) -> None:
        """A call has ended."""

    def text(self, text: Text, /) -> None:
        """A text has been answered."""

    def reply(self, status: int, code: str, /) -> None:
        """A request has its answer: its HTTP status, and the code of its error, "" for none."""
