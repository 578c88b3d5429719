"""Asks a model of a running server from the command line."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from serving.client.client import Client
from serving.control import Server
from serving.server.errors import ControlError
from serving.server.instance import Instance
from serving.server.proxy import CERTIFICATE


def open_client(folder: Path, url: str | None = None, certificates: Path | None = None) -> Client:
    """A client of the server whose folder is given, with its key.

    Args:
        folder: the instance's.
        url: another way to the same server, through a name or by gRPC; None takes the instance's own.
        certificates: whom to trust; None trusts the certificate that the instance made for itself, if it did.

    Raises:
        ControlError: no server runs there.
    """
    instance = Instance(folder)
    server = Server((), instance.state(), instance.authorization)
    own = instance.folder / CERTIFICATE
    key = server.authorization.read_text(encoding="utf-8").strip().removeprefix("Authorization: Bearer ")
    return Client(url or server.url, key, certificates=certificates or (own if own.exists() else None))


def body_of(texts: Sequence[str], parameters: Iterable[str]) -> bytes:
    """The body of a request: one text or several, and `name=value` pairs whose values are JSON, or else texts.

    Raises:
        ControlError: a pair has no "=".
    """
    content: dict[str, Any] = {"inputs": texts[0] if len(texts) == 1 else list(texts)}
    for pair in parameters:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ControlError(f"a parameter is given as NAME=VALUE, not {pair}")
        content.setdefault("parameters", {})[name] = _value(value)
    return json.dumps(content).encode()


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
