"""What is wrong with a request, in words that its sender can act on."""

import difflib
import json
from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

SHAPE: Final = '{"inputs": "...", "parameters": {...}}'
MAX_INPUTS: Final = 64


class ErrorDetail(BaseModel):
    """What a client reads: a stable code in snake_case, a message, and which input of a list is at fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    message: str
    input: int | None = None


FAILED: Final = ErrorDetail(code="internal_error", message="the model failed on this request; the server's log says why")
LATE: Final = ErrorDetail(code="deadline_exceeded", message="the answer was not ready within the time that the request had")


class ErrorAnswer(BaseModel):
    """The body of every answer that is not a success."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    error: ErrorDetail


class RequestError(Exception):
    """A request that cannot be answered as it is.

    Args:
        code: names the kind of fault; it stays the same from version to version.
        message: what is wrong and what would be right.
        index: the place of the input at fault, where the request has a list of them.
    """

    def __init__(self, code: str, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.detail = ErrorDetail(code=code, message=message, input=index)


def from_validation(error: ValidationError, request: type[BaseModel], parameters: type[BaseModel]) -> RequestError:
    """The first fault that pydantic found in a request of this type, in our own codes."""
    first = error.errors(include_url=False)[0]
    match (first["type"], first["loc"]):
        case ("missing", ("inputs",)):
            return RequestError("missing_inputs", f'the request has no "inputs"; send {SHAPE}')
        case ("string_unicode", _):
            return RequestError("not_utf8", "a key holds a lone surrogate, which no UTF-8 text can")
        case (_, ("inputs", *_)):
            message = f'"inputs" must be a string or a list of 1 to {MAX_INPUTS} strings'
            return RequestError("invalid_inputs", message, _first_bad_input(error))
        case (_, ("parameters", *where)):
            return _parameter_error(first, where, parameters)
        case ("extra_forbidden", (name,)) if name in parameters.model_fields:
            return RequestError("unknown_field", f'"{name}" is a parameter; send it within "parameters"')
        case ("extra_forbidden", (name,)):
            return RequestError("unknown_field", unknown("field", str(name), request.model_fields))
        case _:
            return RequestError("invalid_request", f"the body must be a JSON object, {SHAPE}")


def _first_bad_input(error: ValidationError) -> int | None:
    """Its place in a list of inputs; None where "inputs" is no list, or the list itself is at fault."""
    paths = [e["loc"] for e in error.errors() if e["loc"][:1] == ("inputs",)]  # ("inputs", "list[...]", place)
    return next((int(path[2]) for path in paths if len(path) > 2), None)


def _parameter_error(first: ErrorDetails, where: list[int | str], parameters: type[BaseModel]) -> RequestError:
    match (first["type"], where):
        case (_, []):
            return RequestError("invalid_parameter", '"parameters" must be an object')
        case ("extra_forbidden", [name]):
            return RequestError("unknown_parameter", unknown("parameter", str(name), parameters.model_fields))
        case _:
            return RequestError("invalid_parameter", f"{where[0]}: {first['msg']}, not {shown(first['input'])}")


def unknown(noun: str, name: str, valid: Iterable[str]) -> str:
    """A message that names the closest valid name."""
    names = sorted(valid)
    closest = difflib.get_close_matches(name, names, n=1, cutoff=0)
    hint = f'; did you mean "{closest[0]}"?' if closest else ""
    return f"unknown {noun} {shown(name)}{hint}"


def shown(value: object) -> str:
    """A value of the sender's for use in a message: short, and valid UTF-8 whatever it holds."""
    if isinstance(value, str):
        text = f'"{value.encode(errors="replace").decode()}"'
    elif isinstance(value, (dict, list)):
        text = "an object" if isinstance(value, dict) else "a list"
    else:
        text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
