"""What every endpoint is, and what several of them need."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol

from models.text.special import UNK
from serving.contract import R, Request, input_error, texts
from serving.meter import Text
from serving.watch import Watch

Json = Any  # what json.dumps takes
Emit = Callable[[Json], None]  # sends a part of an answer ahead of the whole
REMEMBERED: Final = 128  # texts; more than a batch has


class Endpoint(Protocol[R]):
    """What the predictor needs of a kind of model."""

    request: type[R]

    def check(self, request: R, /) -> None:
        """Refuse what only the bundle can tell is wrong: a label, a length, a limit.

        Raises:
            RequestError: it cannot be answered.
        """

    def group(self, request: R, /) -> Hashable:
        """A key; requests with equal keys share one pass through the model."""

    def answer(self, requests: Sequence[R], emits: Sequence[Emit], watch: Watch, /) -> list[Json]:
        """The bodies of the answers to checked requests of one group; what is streamed goes to the request's emit first.

        Raises:
            DeadlineError: the watch ran out before.
        """

    def measure(self, request: R, answer: Json, /) -> Iterable[Text]:
        """What there is to count of each text of a request and of the answer to it."""


def check_length(request: Request, index: int, length: int, limit: int, unit: str) -> None:
    """Refuse an input that has nothing of what the model reads, or more than it takes."""
    if length == 0:
        message = f"the text has no {unit}" if texts(request)[index].strip() else "the text is empty"
        raise input_error(request, index, "empty_input", message)
    if length > limit:
        raise input_error(request, index, "input_too_long", f"the text has {length} {unit}; this model takes at most {limit}")


def as_sent(request: Request, answers: list[Json]) -> Json:
    """A single input gets its answer, a list of inputs a list of answers."""
    return answers[0] if isinstance(request.inputs, str) else answers


def as_list(request: Request, answer: Json) -> list[Json]:
    """The reverse: the answers to each input."""
    return [answer] if isinstance(request.inputs, str) else answer


def remember(encode: Callable[[str], list[int]]) -> Callable[[str], Sequence[int]]:
    """The tokenizer's `encode`, but of a text that it has just seen it knows the ids: a text is checked, answered and counted."""
    return lru_cache(maxsize=REMEMBERED)(encode)


def count_unknown(ids: Sequence[int]) -> int | None:
    """How many of a text's characters or words the tokenizer does not know; None where it knows them all."""
    return ids.count(UNK) or None
