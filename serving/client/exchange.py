"""Typed requests to bodies, and bodies to typed answers; the same for every transport."""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from serving.answers import Classes, Drawn, GeneratedText, Names, Translation, WordsAnswer
from serving.contract import ClassificationRequest, GenerationRequest, Request, TranslationRequest, VectorsRequest
from serving.faults import ErrorAnswer

A = TypeVar("A")
ONE: Final[Mapping[type[Request], TypeAdapter[Any]]] = {  # the answer to one input
    ClassificationRequest: TypeAdapter(Classes),
    GenerationRequest: TypeAdapter(Names),
    TranslationRequest: TypeAdapter(Translation),
    VectorsRequest: TypeAdapter(WordsAnswer),
}
DRAWN: Final = TypeAdapter(Drawn)
LAST: Final = TypeAdapter(list[GeneratedText])


class ServingError(Exception):
    """A request was not answered.

    Args:
        status: of HTTP; where the transport has none, 0.
        code: what kind of fault it is, see serving.faults; "unreachable" where there was no server to say so.
        message: what is wrong and what would be right.
        index: the input at fault, where the request had a list of them.
        retry_after: seconds after which the server said to come again.
    """

    def __init__(self, status: int, code: str, message: str, index: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.index, self.retry_after = status, code, index, retry_after

    @property
    def passing(self) -> bool:
        """Whether the same request may be answered a moment later."""
        return self.code in ("unreachable", "unavailable", "too_many_requests")


def encode(request: Request) -> bytes:
    """A request as it is sent: what was not set is left to the server."""
    return request.model_dump_json(exclude_unset=True).encode()


def decode(request: Request, body: bytes) -> list[Any]:
    """The answers to each input, in order.

    Raises:
        ServingError: the body is no answer to such a request.
    """
    content = _json(body)
    single = isinstance(request.inputs, str) and not isinstance(request, TranslationRequest)
    try:
        return [ONE[type(request)].validate_python(answer) for answer in ([content] if single else content)]
    except ValidationError as error:
        raise ServingError(0, "unreadable_answer", f"the server answers in another form: {error.errors()[0]['msg']}") from error


def decode_line(line: bytes) -> Drawn | list[GeneratedText]:
    """A line of a streamed answer: a character, or at the end the names.

    Raises:
        ServingError: it says that something went wrong.
    """
    content = _json(line)
    if isinstance(content, dict) and "error" in content:
        raise fault(0, line)
    return LAST.validate_python(content) if isinstance(content, list) else DRAWN.validate_python(content)


def checked(body: bytes) -> bytes:
    """The body of an answer that comes without a status.

    Raises:
        ServingError: it says that something went wrong.
    """
    if body.startswith(b'{"error"'):
        raise fault(0, body)
    return body


def fault(status: int, body: bytes, retry_after: str | None = None) -> ServingError:
    """What a server's error says."""
    after = float(retry_after) if retry_after and retry_after.isdigit() else None
    try:
        detail = ErrorAnswer.model_validate_json(body).error
    except ValidationError:  # from something that is not ours, on the way to the server
        return ServingError(status, "unavailable" if status in (502, 503) else "unknown", f"HTTP status {status}", None, after)
    return ServingError(status, detail.code, detail.message, detail.input, after)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise ServingError(0, "unreadable_answer", "the server's answer is not JSON") from error
