"""Whatever the transport delivered as a request's body, as parsed JSON."""

import json
from typing import NoReturn

from serving.faults import SHAPE, RequestError, shown

ADVICE = f'send JSON, {SHAPE}, with the header "Content-Type: application/json"'


def parse_body(body: object) -> object:
    """Parse raw bytes or text; leave what a transport parsed already as it is.

    Raises:
        RequestError: the body is empty, no UTF-8, or no JSON.
    """
    if isinstance(body, (bytes, bytearray)):
        try:
            body = body.decode("utf-8-sig")  # some clients begin with a byte order mark
        except UnicodeDecodeError as error:
            raise RequestError("not_utf8", f"the body is not UTF-8 (byte {error.start}); {ADVICE}") from error
    if body is None or (isinstance(body, str) and not body.strip()):
        raise RequestError("empty_body", f"the body is empty; {ADVICE}")
    return _parse_json(body) if isinstance(body, str) else body


def _parse_json(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        reason = f"{error.msg}, line {error.lineno} column {error.colno}"
    except RecursionError:
        reason = "nested too deeply"
    except ValueError as error:  # a key twice, a constant that JSON has not, or an integer of thousands of digits
        reason = str(error).split(";")[0]
    raise RequestError("invalid_json", f"the body is not valid JSON ({reason}); {ADVICE}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):  # JSON allows it, and readers differ in which of the two they take
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {shown(next(key for key in keys if keys.count(key) > 1))} comes twice")
    return content
