"""The interface of endpoints, and functions that several of them use."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final, Protocol

from models.text.special import UNK
from serving.contract.requests import R, Request, TextRequest, input_error, texts
from serving.predictors.watch import Watch
from serving.telemetry.meter import Text

CHARACTERS: Final = 10  # per unit, including white space and invisible characters
SHORT: Final = 1_000  # texts of up to this many characters are always read

Json = Any  # what json.dumps takes
Emit = Callable[[Json], None]  # sends a part of an answer ahead of the whole


class Endpoint(Protocol[R]):
    """What the predictor needs from a kind of model."""

    request: type[R]

    def check(self, request: R, /) -> None:
        """Refuse requests that are invalid for this bundle, such as an unknown label or a text over the limit.

        Raises:
            RequestError: the request cannot be answered.
        """

    def group(self, request: R, /) -> Hashable:
        """A key; requests with equal keys go through the model together."""

    def answer(self, requests: Sequence[R], emits: Sequence[Emit], watch: Watch, /) -> list[Json]:
        """Answer checked requests of one group and return the bodies; streamed parts go to the request's emit first.

        Raises:
            DeadlineError: the deadline passed.
            RequestError: a request cannot be answered, which `check` could not foresee. If there are several requests, the
                caller retries each alone.
        """

    def measure(self, request: R, answer: Json, /) -> Iterable[Text]:
        """The counts of each text of a request and its answer, for the metrics."""


def check_size(request: TextRequest, limit: int, unit: str, characters: int = CHARACTERS) -> None:
    """Refuse a text that is certainly too long without tokenizing it, which would delay other requests.

    Args:
        request: the request with the texts.
        limit: longest text that the model takes, in units.
        unit: plural name of the unit.
        characters: upper bound of the average length of a unit, in characters.
    """
    most = max(SHORT, characters * limit)
    for i, text in enumerate(texts(request)):
        if len(text) > most:
            message = f"the text has {len(text)} characters; this model takes at most {most} characters and {limit} {unit}"
            raise input_error(request, i, "input_too_long", message)


def check_length(request: TextRequest, index: int, length: int, limit: int, unit: str) -> None:
    """Refuse an input that has no units, or more than the model takes."""
    if length == 0:
        message = f"the text has no {unit}" if texts(request)[index].strip() else "the text is empty"
        raise input_error(request, index, "empty_input", message)
    if length > limit:
        raise input_error(request, index, "input_too_long", f"the text has {length} {unit}; this model takes at most {limit}")


def as_sent(request: Request, answers: list[Json]) -> Json:
    """The answers in the form of the request: a single input gets a single answer, a list a list."""
    return answers[0] if request.single else answers


def as_list(request: Request, answer: Json) -> list[Json]:
    """The reverse of `as_sent`: the answers as a list."""
    return [answer] if request.single else answer


def count_unknown(ids: Sequence[int]) -> int | None:
    """The number of a text's characters or words that the tokenizer does not know; None if it knows them all."""
    return ids.count(UNK) or None
