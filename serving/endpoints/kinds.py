"""The kinds of model that can be served, each a folder with the modules `contract` and `endpoint`."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from pydantic import TypeAdapter

if TYPE_CHECKING:
    from serving.bundle import Bundle
    from serving.contract.requests import Request
    from serving.endpoints.shared import Endpoint


class Contract(Protocol):
    """A module `contract`: the types that clients send and receive. It imports no numerical libraries.

    Attributes:
        NEEDED: optional manifest fields that a bundle of this kind must have.
        ALLOWED: further manifest fields that it may have.
        FILES: files that it must have.
        REQUEST: type of requests.
        ANSWER: type of the body of every 200 response.
    """

    NEEDED: tuple[str, ...]
    ALLOWED: tuple[str, ...]
    FILES: tuple[str, ...]
    REQUEST: "type[Request]"
    ANSWER: TypeAdapter[Any]


def contract(kind: str) -> Contract:
    """Import the contract of a kind. Raises ValueError if there is no such kind."""
    if not kind.isidentifier() or find_spec(f"{__package__}.{kind}") is None:
        raise ValueError(f"unknown kind of model {kind!r}")
    return cast(Contract, import_module(f"{__package__}.{kind}.contract"))


def streamed(kind: str) -> TypeAdapter[Any] | None:
    """Type of the lines of a streamed answer, except the last; None for kinds without streaming."""
    return getattr(contract(kind), "LINE", None)


def endpoint(folder: Path, bundle: "Bundle") -> "Endpoint[Any]":
    """Create the endpoint for a bundle's model."""
    loaded: Endpoint[Any] = import_module(f"{__package__}.{bundle.kind}.endpoint").Endpoint(folder, bundle)
    return loaded
