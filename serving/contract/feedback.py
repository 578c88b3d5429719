"""Feedback on an answer: what the client sends, and what it gets back."""

from typing import Annotated, Final

from pydantic import Field, ValidationError

from serving.contract.body import parse_body
from serving.contract.faults import RequestError
from serving.contract.strict import Strict

SHAPE: Final = '{"id": "...", "label": "..."} or {"id": "...", "text": "..."}'
ID: Final = "[0-9a-f]{32}"


class Feedback(Strict):
    """The right answer to an input: a class for a classifier, a text for a translator or a generator."""

    id: Annotated[str, Field(pattern=f"^{ID}$", description="id of the answer, from its header X-Request-Id")]
    label: Annotated[
        str | None,
        Field(min_length=1, max_length=100, description="the right class, which may be one that the model does not know"),
    ] = None
    text: Annotated[str | None, Field(min_length=1, max_length=10_000, description="the right text")] = None
    input: Annotated[int, Field(ge=0, description="place of the input in the request's list, from 0; default 0")] = 0


class Judged(Strict):
    """The answer that the feedback is about, and whether it was right."""

    id: str
    model: str
    version: str
    right: bool


class Deleted(Strict):
    """The record of an answer and the feedback on it are deleted."""

    deleted: bool


def parse_feedback(body: bytes) -> Feedback:
    """Validate what a client sent.

    Raises:
        RequestError: it is not feedback.
    """
    try:
        parsed = Feedback.model_validate(parse_body(body, SHAPE))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RequestError("invalid_feedback", f"{where and f'{where}: '}{first['msg']}; send {SHAPE}") from error
    if (parsed.label is None) == (parsed.text is None):
        raise RequestError("invalid_feedback", f"send either a label or a text: {SHAPE}")
    return parsed
