"""Conversion of typed requests to bodies and of bodies to typed answers, for every transport."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from serving.contract.faults import ErrorAnswer
from serving.contract.feedback import Judged
from serving.endpoints.generation.contract import LINE, Drawn, GeneratedText

A_co = TypeVar("A_co", covariant=True)
A = TypeVar("A")
LAST: Final = TypeAdapter(list[GeneratedText])


class Asked(Protocol[A_co]):
    """A request of any kind, which can parse its answers; see serving.contract.requests."""

    def read(self, content: object, /) -> Sequence[A_co]:
        """Parse the answer to each input. Raises ValidationError if the body is not an answer."""

    def model_dump_json(self, *, exclude_unset: bool) -> str:
        """Serialize to JSON, without fields that were not set."""


class Reply(NamedTuple):
    """What a transport received: the body of an answer and its id, which answers by gRPC do not have."""

    body: bytes
    id: str | None = None


class Answers(list[A]):
    """The answer to each input of a request, in order.

    Args:
        answers: the answers.
        id: names them in feedback; None by gRPC.
    """

    def __init__(self, answers: Iterable[A], id: str | None) -> None:  # noqa: A002 - the name of the field in feedback
        super().__init__(answers)
        self.id = id


class ServingError(Exception):
    """A request was not answered.

    Args:
        status: HTTP status; 0 if the transport has none.
        code: error code, see serving.contract.faults; "unreachable" if the server could not be reached.
        message: what is wrong and how to fix it.
        index: position of the faulty input, if the request had a list.
        retry_after: seconds to wait before a retry, as requested by the server.
    """

    def __init__(self, status: int, code: str, message: str, index: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.index, self.retry_after = status, code, index, retry_after

    @property
    def passing(self) -> bool:
        """Whether the failure is transient, so that a retry may succeed."""
        return self.code in ("unreachable", "unavailable", "too_many_requests")


def encode(request: Asked[A]) -> bytes:
    """Serialize a request; the server chooses the values of fields that were not set."""
    return request.model_dump_json(exclude_unset=True).encode()


def decode(request: Asked[A], reply: Reply) -> Answers[A]:
    """Parse the answers to each input.

    Raises:
        ServingError: the body is not an answer to such a request.
    """
    with _readable():
        return Answers(request.read(_json(reply.body)), reply.id)


def decode_judgement(body: bytes) -> Judged:
    """Parse the reply to feedback.

    Raises:
        ServingError: the body is no such reply.
    """
    with _readable():
        return Judged.model_validate_json(body)


def decode_line(line: bytes) -> Drawn | list[GeneratedText]:
    """Parse a line of a streamed answer: a character, or the names in the last line.

    Raises:
        ServingError: the line reports an error.
    """
    content = _json(line)
    if isinstance(content, dict) and "error" in content:
        raise fault(0, line)
    return LAST.validate_python(content) if isinstance(content, list) else LINE.validate_python(content)


def checked(body: bytes) -> bytes:
    """Check the body of an answer from a transport without status codes.

    Raises:
        ServingError: the body reports an error.
    """
    if body.startswith(b'{"error"'):
        raise fault(0, body)
    return body


def fault(status: int, body: bytes, retry_after: str | None = None) -> ServingError:
    """Convert a server's error response to an exception."""
    after = float(retry_after) if retry_after and retry_after.isdigit() else None
    try:
        detail = ErrorAnswer.model_validate_json(body).error
    except ValidationError:  # not in our format: from an intermediary, or from TorchServe itself
        if status == HTTPStatus.NOT_FOUND:
            return ServingError(status, "not_found", "there is no such model", None, after)
        return ServingError(status, "unavailable" if status in (502, 503) else "unknown", f"HTTP status {status}", None, after)
    return ServingError(status, detail.code, detail.message, detail.input, after)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise ServingError(0, "unreadable_answer", f"unexpected answer: {error.errors()[0]['msg']}") from error


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise ServingError(0, "unreadable_answer", "the server's answer is not JSON") from error
