"""What is measured of a model's work, and the interface of meters that record it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Text:
    """Measurements of one text and its answer.

    Attributes:
        length: length of the text, in the model's units: characters, subwords or words.
        unknown: number of units outside the vocabulary.
        produced: number of generated units.
        label: most probable class, for classifiers.
        content: the text as the model reads it, before it is split into units; "" for what is not a text. A server's meter must
            not keep or export it.
        ids: ids of its units in the model's vocabulary.
    """

    length: int
    unknown: int = 0
    produced: int = 0
    label: str | None = None
    content: str = ""
    ids: Sequence[int] = ()


@dataclass(frozen=True)
class Batch:
    """Counts of one call of a predictor.

    Attributes:
        replies: number of replies by HTTP status and error code; the code of a success is "".
        texts: counts of the answered texts.
        read_s: seconds for parsing, checking and tokenizing.
        model_s: seconds in the model's graphs.
        write_s: seconds for the rest, such as decoding the graphs' outputs.
    """

    replies: Mapping[tuple[int, str], int]
    texts: Sequence[Text]
    read_s: float
    model_s: float
    write_s: float


class Meter(Protocol):
    """Records the work of a predictor."""

    def batch(self, batch: Batch, /) -> None:
        """Record a finished call."""
