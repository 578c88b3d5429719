"""The OpenAPI document of the models of a store, made from the types that requests and answers are checked by."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from serving.answers import ANSWERS, Drawn
from serving.bundle import Kind
from serving.contract import REQUESTS
from serving.faults import ErrorAnswer
from serving.headers import DEADLINE, RUN, VERSION
from serving.server.archive import Archive

Json = dict[str, Any]
TEMPLATE: Final = "#/components/schemas/{model}"
FAULTS: Final = {
    400: "The request is wrong: the code says in what, the message what would be right.",
    401: "There is no key, or none that is valid.",
    404: "There is no such model.",
    405: "Predictions are asked for by POST.",
    413: "The body is too large.",
    415: "The body is no JSON, by its Content-Type.",
    429: "This key sends more requests than it may; the header Retry-After says when to come again.",
    500: "The model failed; the server's log says why.",
    503: "The model has too much to do, or is not ready; the header Retry-After says when to come again.",
    504: "The answer was not ready in time.",
}
DESCRIPTION: Final = (
    "Small sequence models. Every model takes `inputs`, a text or a list of texts, and `parameters`. "
    "A list gets a list of answers, one for each text."
)


def document(archives: Sequence[Archive]) -> Json:
    """OpenAPI 3.1 for the given models, with the requests and answers that their archives hold as examples."""
    kinds = sorted({archive.kind for archive in archives})
    return {
        "openapi": "3.1.0",
        "info": {"title": "Seqline", "version": "1", "description": DESCRIPTION},
        "paths": {f"/predictions/{archive.name}": {"post": _operation(archive)} for archive in archives},
        "components": {
            "schemas": _schemas(kinds),
            "responses": {str(status): _fault(status, text) for status, text in FAULTS.items()},
            "headers": {
                VERSION: _header("which model answered: its number in the registry, and the beginning of its bundle's sha256"),
                RUN: _header("the MLflow run that it is from"),
            },
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }


def _operation(archive: Archive) -> Json:
    faults = {str(status): {"$ref": f"#/components/responses/{status}"} for status in FAULTS}
    deadline = {"type": "number", "exclusiveMinimum": 0}
    return {
        "operationId": archive.name,
        "summary": f"Ask the model {archive.name}",
        "parameters": [
            {
                "name": DEADLINE,
                "in": "header",
                "description": "seconds that the answer may take; the server has a limit of its own, which this can only lower",
                "schema": deadline,
            }
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": _content(archive, "request", f"{archive.kind}_request")},
        },
        "responses": {"200": _answer(archive), **faults},
    }


def _answer(archive: Archive) -> Json:
    content = {"application/json": _content(archive, "answer", f"{archive.kind}_answer")}
    if archive.kind == "generation":
        lines = 'of a request with "stream": a line for each character, and a last one that is the whole answer'
        content["application/x-ndjson"] = {"schema": {"type": "string", "description": lines}}
    return {
        "description": "The answer to each input.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in (VERSION, RUN)},
        "content": content,
    }


def _content(archive: Archive, side: str, schema: str) -> Json:
    """The schema of one side of an exchange, and an example of it from each of the archive's."""
    examples = {f"example{i}": {"summary": e.summary, "value": getattr(e, side)} for i, e in enumerate(archive.examples, 1)}
    return {"schema": {"$ref": TEMPLATE.format(model=schema)}, "examples": examples}


def _fault(status: int, text: str) -> Json:
    headers = {"Retry-After": {"schema": {"type": "integer"}}} if status in (429, 503) else {}
    schema = {"$ref": TEMPLATE.format(model=ErrorAnswer.__name__)}
    return {"description": text, "content": {"application/json": {"schema": schema}}} | ({"headers": headers} if headers else {})


def _header(text: str) -> Json:
    return {"description": text, "schema": {"type": "string"}}


def _schemas(kinds: Sequence[Kind]) -> Json:
    """Definitions of all types, and under `KIND_request` and `KIND_answer` what either side of each kind is."""
    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = []
    for kind in kinds:
        adapters.append((f"{kind}_request", "validation", TypeAdapter(REQUESTS[kind])))
        adapters.append((f"{kind}_answer", "serialization", ANSWERS[kind]))
    sides, definitions = TypeAdapter.json_schemas(adapters, ref_template=TEMPLATE)
    _, extra = models_json_schema([(ErrorAnswer, "serialization"), (Drawn, "serialization")], ref_template=TEMPLATE)
    named = {name: schema for (name, _), schema in sides.items()}
    return dict(sorted({**definitions.get("$defs", {}), **extra["$defs"], **named}.items()))
