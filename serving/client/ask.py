"""Sends requests to a running server from the command line."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from serving.client.client import Client
from serving.contract.body import parse_json
from serving.server.certificate import SELF_SIGNED
from serving.server.control import Server
from serving.server.errors import ControlError
from serving.server.instance import Instance


def open_client(folder: Path, url: str | None = None, certificates: Path | None = None) -> Client:
    """Create a client for the server in a folder, with the server's key.

    Args:
        folder: the instance's folder.
        url: another URL of the same server, such as one with a host name or for gRPC; None uses the instance's own.
        certificates: trusted certificates; None trusts the instance's self-signed certificate, if it has one.

    Raises:
        ControlError: no server runs there.
    """
    instance = Instance(folder)
    server = Server((), instance.state(), instance.authorization)
    own = instance.folder / SELF_SIGNED
    key = server.authorization.read_text(encoding="utf-8").strip().removeprefix("Authorization: Bearer ")
    return Client(url or server.url, key, certificates=certificates or (own if own.exists() else None))


def body_of(texts: Sequence[str], parameters: Iterable[str], document: str = "") -> bytes:
    """Build the body of a request.

    Args:
        texts: one or more texts, if there is no document.
        parameters: `name=value` pairs; a value that is not JSON is a string. They override those of the document.
        document: JSON inputs, or a JSON request: an object with `inputs` and optionally `parameters`.

    Raises:
        ControlError: a pair has no "=", the document is not JSON, or there are both texts and a document, or neither.
    """
    if bool(texts) == bool(document):
        raise ControlError("give either texts or --json FILE")
    content: dict[str, Any] = _request(document) if document else {"inputs": texts[0] if len(texts) == 1 else list(texts)}
    for pair in parameters:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ControlError(f"a parameter has the form NAME=VALUE, not {pair}")
        content.setdefault("parameters", {})[name] = _value(value)
    return json.dumps(content).encode()


def read_document(path: Path) -> str:
    """Read a file, or standard input for `-`.

    Raises:
        ControlError: it cannot be read, or is empty.
    """
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ControlError(f"{path} cannot be read: {error}") from error
    if not text.strip():
        raise ControlError(f"{path} is empty; --json takes inputs or a request as JSON")
    return text


def _request(document: str) -> dict[str, Any]:
    """The document as a request; a document that is not a request is the inputs of one."""
    try:
        content = parse_json(document)
    except ValueError as error:
        raise ControlError(f"the content of --json is not valid JSON ({error})") from error
    if not isinstance(content, dict) or "inputs" not in content or not content.keys() <= {"inputs", "parameters"}:
        return {"inputs": content}
    if not isinstance(content.get("parameters", {}), dict):
        raise ControlError('the "parameters" in the content of --json are not an object')
    return content


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
