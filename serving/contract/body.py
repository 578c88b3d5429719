"""Parsing of request bodies from any transport."""

import json
from typing import NoReturn

from serving.contract.faults import SHAPE, RequestError, shown

COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")  # magic numbers of gzip and zstd; no JSON begins with them


def parse_body(body: object, shape: str = SHAPE) -> object:
    """Parse raw bytes or text; return a body that the transport has already parsed unchanged.

    Args:
        body: what the transport delivered.
        shape: of the JSON, for messages.

    Raises:
        RequestError: the body is empty, compressed, not UTF-8, or not JSON.
    """
    advice = f'send JSON, {shape}, with the header "Content-Type: application/json"'
    if isinstance(body, (bytes, bytearray)):
        if body.startswith(COMPRESSED):
            message = "the body is compressed; send it uncompressed, without a Content-Encoding"
            raise RequestError("encoded_body", message)
        try:
            body = body.decode("utf-8-sig")  # some clients begin with a byte order mark
        except UnicodeDecodeError as error:
            raise RequestError("not_utf8", f"the body is not UTF-8 (byte {error.start}); {advice}") from error
    if body is None or (isinstance(body, str) and not body.strip()):
        raise RequestError("empty_body", f"the body is empty; {advice}")
    if not isinstance(body, str):
        return body
    try:
        return parse_json(body)
    except ValueError as error:
        raise RequestError("invalid_json", f"the body is not valid JSON ({error}); {advice}") from error


def parse_json(text: str) -> object:
    """Parse JSON strictly.

    Raises:
        ValueError: the text is not valid JSON; the message is short and gives the position if known.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        reason = f"{error.msg}, line {error.lineno} column {error.colno}"
    except RecursionError:
        reason = "nested too deeply"
    except ValueError as error:  # a duplicate key, NaN or Infinity, or an integer of thousands of digits
        reason = str(error).split(";")[0]
    raise ValueError(reason)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict[str, object]()
    for key, value in pairs:  # JSON allows duplicate keys, and parsers differ in which of them they keep
        if key in content:
            raise ValueError(f"duplicate key {shown(key)}")
        content[key] = value
    return content
