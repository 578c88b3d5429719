"""The REST API in Markdown, out of the OpenAPI document of the default profile's models."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.report.site.markdown import plain, table

OPENAPI = Path("serving/openapi.json")
LIMITS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
    "maxLength": "length ≤",
    "maxItems": "items ≤",
}

Schema = dict[str, Any]


def endpoints() -> str:
    """Each endpoint with the types of its request and answer, and the statuses of all."""
    document = _openapi()
    rows: list[tuple[str, ...]] = []
    statuses: dict[str, str] = {}
    for address, methods in document["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            rows.append((f"`{method.upper()} {address}`", _body(operation.get("requestBody")), _body(answers["200"])))
            statuses = {status: _found(document, answer)["description"] for status, answer in answers.items()} | statuses
    meanings = ((f"`{status}`", plain(meaning)) for status, meaning in sorted(statuses.items()))
    return table(("endpoint", "request", "answer"), rows) + "\n\n" + table(("status", "meaning"), meanings)


def _body(place: Schema | None) -> str:
    """The type of the body of a request or an answer; empty if it has none."""
    return _kind(place["content"]["application/json"]["schema"]) if place else ""


def _found(document: Schema, value: Schema) -> Schema:
    """What a reference of the document refers to; a value that is no reference is itself."""
    for name in value.get("$ref", "").split("/")[1:]:
        document = document[name]
    return document if "$ref" in value else value


def schemas() -> str:
    """Each type of the REST API: its fields, their limits and defaults."""
    return "\n\n".join(_schema(name, schema) for name, schema in _openapi()["components"]["schemas"].items())


def _openapi() -> Schema:
    document: Schema = json.loads(OPENAPI.read_text(encoding="utf-8"))
    return document


def _schema(name: str, schema: Schema) -> str:
    content = _properties(schema) if "properties" in schema else _type(schema)
    return f"### {name}\n\n{plain(schema.get('description', ''))}\n\n{content}"


def _properties(schema: Schema) -> str:
    required = schema.get("required", [])
    rows = (
        (f"`{name}`{' (required)' if name in required else ''}", _type(field), plain(field.get("description", "")))
        for name, field in schema["properties"].items()
    )
    return table(("field", "type", "meaning"), rows)


def _type(field: Schema) -> str:
    """A field's type with its limits and default, in words."""
    return "; ".join(_facts(field))


def _facts(field: Schema) -> Iterator[str]:
    kinds = [_kind(option) for option in field.get("anyOf", [field])]
    yield " or ".join(dict.fromkeys(kinds))
    for option in field.get("anyOf", [field]):
        yield from (f"{sign} {option[key]}" for key, sign in LIMITS.items() if key in option)
    if field.get("default") is not None:
        yield f"default `{json.dumps(field['default'])}`"


def _kind(option: Schema) -> str:
    if "$ref" in option:
        return f"[{(name := option['$ref'].rpartition('/')[2])}](#{name.lower()})"
    if "enum" in option or "const" in option:
        return " or ".join(f"`{value}`" for value in option.get("enum", [option.get("const")]))
    if option.get("type") == "array":
        return f"array of {_kind(option.get('items', {}))}"
    return str(option.get("type", "any value"))
