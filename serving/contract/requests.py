"""Base types of the requests to all kinds of model; each kind defines its own types in its folder of serving.endpoints.

A request is `{"inputs": INPUT or [INPUT, ...], "parameters": {...}}`; an input is a text or, for some kinds, an object. Unknown
fields, wrong types and out-of-range values are refused with a code and a message that says how to fix the request.
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar

from pydantic import Field, ValidationError

from serving.contract.faults import MAX_INPUTS, RequestError, from_validation
from serving.contract.strict import Strict

Item = TypeVar("Item")
OneOrMany: TypeAlias = Item | Annotated[list[Item], Field(min_length=1, max_length=MAX_INPUTS)]
UnknownCharacters = Annotated[
    int | None, Field(description="number of characters of the text outside the model's vocabulary; absent if there are none")
]

UnknownWords = Annotated[
    int | None, Field(description="number of words of the text outside the model's vocabulary; absent if there are none")
]


class Request(Strict):
    """One or more inputs. Each kind's request defines their type and adds `parameters`, all with defaults.

    Attributes:
        EXPECTED: description of one input and of several, for messages.
    """

    EXPECTED: ClassVar[tuple[str, str]]

    inputs: Any

    @property
    def single(self) -> bool:
        """Whether there is a single input that is not in a list."""
        return not isinstance(self.inputs, list)

    @property
    def each_input(self) -> list[Any]:
        """The inputs as a list, even if a single one was sent."""
        return [self.inputs] if self.single else self.inputs

    def read(self, content: object) -> Sequence[object]:
        """Parse the body of an answer to the answers for each input; each kind's request returns its own types.

        Raises:
            ValidationError: the body is not an answer to such a request.
        """
        return self.each(content)

    def each(self, content: object) -> list[Any]:
        """Split a body into the answers to the inputs."""
        return [content] if self.single or not isinstance(content, list) else content


class TextRequest(Request):
    """One or more texts."""

    EXPECTED = ("a string", "strings")

    inputs: OneOrMany[str]


R = TypeVar("R", bound=Request)


def parse_request(request: type[R], content: object) -> R:
    """Validate what a client sent.

    Raises:
        RequestError: it is not a request of this type, or an input is not valid Unicode.
    """
    try:
        parsed = request.model_validate(content)
    except ValidationError as error:
        raise from_validation(error, request, request.EXPECTED, type(request.model_fields["parameters"].default)) from error
    for i, text in enumerate(texts(parsed) if isinstance(parsed, TextRequest) else ()):
        if not is_unicode(text):
            raise input_error(parsed, i, "not_utf8", "the text contains a lone surrogate, which is not valid in UTF-8")
    return parsed


def texts(request: TextRequest) -> list[str]:
    """The texts as a list, even if a single one was sent."""
    return request.each_input


def input_error(request: Request, index: int, code: str, message: str) -> RequestError:
    """An error of one input; its position is given only if the request has a list."""
    return RequestError(code, message, None if request.single else index)


def is_unicode(text: str) -> bool:
    """Whether the text can be encoded as UTF-8; JSON escapes can produce lone surrogates, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
