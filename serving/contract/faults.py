"""Errors of requests, with messages that tell the sender how to fix them."""

import json
from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from models.text.closest import closest_name

SHAPE: Final = '{"inputs": "...", "parameters": {...}}'
MAX_INPUTS: Final = 64
TYPES: Final = {"float", "str"}  # pydantic appends them to the location of a value of a union type


class ErrorDetail(BaseModel):
    """An error as the client sees it: a stable snake_case code, a message, and the position of the faulty input in a list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    message: str
    input: int | None = None


FAILED: Final = ErrorDetail(code="internal_error", message="the model failed on this request; the server's log says why")
LATE: Final = ErrorDetail(code="deadline_exceeded", message="the answer was not ready before the request's deadline")
# Errors of whatever is in front of the models.
NO_KEY: Final = ErrorDetail(code="no_key", message="send a valid key in the header Authorization: Bearer KEY")
NOT_FOUND: Final = ErrorDetail(code="not_found", message="there is no such model or page; /openapi.json lists the models")
ENCODED: Final = ErrorDetail(code="encoded_body", message="send the body uncompressed, without a Content-Encoding")
INVALID_DEADLINE: Final = ErrorDetail(
    code="invalid_deadline", message="the header X-Deadline takes seconds: a positive number below 100,000"
)
NOT_POST: Final = ErrorDetail(code="method_not_allowed", message="predictions and feedback require POST")
UNAVAILABLE: Final = ErrorDetail(
    code="unavailable", message="the model is overloaded or not ready; retry after the time in the header Retry-After"
)
UNKNOWN_ANSWER: Final = ErrorDetail(
    code="unknown_answer",
    message="there is no record of an answer with this id: it may have expired or been deleted, or came by gRPC",
)
NO_RECORDS: Final = ErrorDetail(
    code="unavailable", message="the records cannot be read or written now; retry after the time in the header Retry-After"
)


class ErrorAnswer(BaseModel):
    """The body of every error response."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    error: ErrorDetail

    @classmethod
    def body(cls, detail: ErrorDetail) -> str:
        """The JSON text of an error response."""
        return cls(error=detail).model_dump_json(exclude_none=True)


class RequestError(Exception):
    """A request that is invalid.

    Args:
        code: kind of error; codes are stable across versions.
        message: what is wrong and how to fix it.
        index: position of the faulty input, if the request has a list.
    """

    def __init__(self, code: str, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.detail = ErrorDetail(code=code, message=message, input=index)


def from_validation(
    error: ValidationError, request: type[BaseModel], expected: tuple[str, str], parameters: type[BaseModel]
) -> RequestError:
    """Convert the first error that pydantic found in a request to one of our codes; `expected` describes an input."""
    first = error.errors(include_url=False)[0]
    match (first["type"], first["loc"]):
        case ("missing", ("inputs",)):
            return RequestError("missing_inputs", f'the request has no "inputs"; send {SHAPE}')
        case ("string_unicode", _):
            return RequestError("not_utf8", "a key contains a lone surrogate, which is not valid in UTF-8")
        case (_, ("inputs", *_)):
            message = f'"inputs" must be {expected[0]} or a list of 1 to {MAX_INPUTS} {expected[1]}'
            return RequestError("invalid_inputs", _within_input(error) + message, _first_bad_input(error))
        case (_, ("parameters", *where)):
            return _parameter_error(first, where, parameters)
        case ("extra_forbidden", (name,)) if name in parameters.model_fields:
            return RequestError("unknown_field", f'"{name}" is a parameter; send it inside "parameters"')
        case ("extra_forbidden", (name,)):
            return RequestError("unknown_field", unknown("field", str(name), request.model_fields))
        case _:
            return RequestError("invalid_request", f"the body must be a JSON object, {SHAPE}")


def _within_input(error: ValidationError) -> str:
    """Prefix of a message: the error inside an input that is an object; empty if the input is a text."""
    for fault in error.errors(include_url=False):
        where = fault["loc"][2:]  # after "inputs" and the type that pydantic tried
        names = where[1:] if where and isinstance(where[0], int) else where
        if fault["loc"][:1] == ("inputs",) and names and isinstance(names[0], str):
            path = "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in names if name not in TYPES)
            given = "" if fault["type"] == "missing" else f", not {shown(fault['input'])}"
            return f"{path[1:]}: {fault['msg']}{given}; "
    return ""


def _first_bad_input(error: ValidationError) -> int | None:
    """Position of the faulty input; None if "inputs" is not a list, or if the list itself is wrong."""
    paths = [e["loc"] for e in error.errors() if e["loc"][:1] == ("inputs",)]  # ("inputs", "list[...]", position, ...)
    return next((path[2] for path in paths if len(path) > 2 and isinstance(path[2], int)), None)


def _parameter_error(first: ErrorDetails, where: list[int | str], parameters: type[BaseModel]) -> RequestError:
    match (first["type"], where):
        case (_, []):
            return RequestError("invalid_parameter", '"parameters" must be an object')
        case ("extra_forbidden", [name]):
            return RequestError("unknown_parameter", unknown("parameter", str(name), parameters.model_fields))
        case _:
            return RequestError("invalid_parameter", f"{where[0]}: {first['msg']}, not {shown(first['input'])}")


def unknown(noun: str, name: str, valid: Iterable[str]) -> str:
    """An error message that suggests the closest valid name."""
    names = sorted(valid)
    closest = closest_name(name, names)
    hint = f'; did you mean "{closest}"?' if closest else f"; valid names: {', '.join(names)}"
    return f"unknown {noun} {shown(name)}{hint}"


def shown(value: object) -> str:
    """A value from a request for use in a message: shortened, and always valid UTF-8."""
    if isinstance(value, str):
        text = f'"{value.encode(errors="replace").decode()}"'
    elif isinstance(value, (dict, list)):
        text = "an object" if isinstance(value, dict) else "a list"
    else:
        text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
