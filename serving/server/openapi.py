"""The OpenAPI document of the models of a store, generated from the types that validate requests and answers."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from serving.contract import feedback
from serving.contract.faults import ErrorAnswer
from serving.contract.headers import DEADLINE, REQUEST_ID, RUN, VERSION
from serving.endpoints.kinds import contract, streamed
from serving.server.archive import Archive

Json = dict[str, Any]
TEMPLATE: Final = "#/components/schemas/{model}"
FAULTS: Final = {
    400: "The request is invalid: the code names the kind of error, and the message says how to fix it.",
    401: "The key is missing or invalid.",
    404: "There is no such model, or no record of such an answer.",
    405: "Predictions and feedback require POST.",
    413: "The body is too large.",
    415: "The Content-Type is not JSON, or the body has a Content-Encoding.",
    429: "This key has exceeded its request rate; retry after the time in the header Retry-After.",
    500: "The model failed; the server's log has the reason.",
    503: "The model is overloaded or not ready; retry after the time in the header Retry-After.",
    504: "The answer was not ready before the deadline.",
}
DESCRIPTION: Final = (
    "Small sequence models. Every model takes `inputs`, a single one or a list, and `parameters`. "
    "An input is a text; for a forecaster, it is a series, an object of columns with an array of numbers each. "
    "A list gets a list of answers, one for each input."
)


def document(archives: Sequence[Archive], mlflow: str | None = None) -> Json:
    """OpenAPI 3.1 document of the given models, with the example requests and answers of their archives.

    Args:
        archives: the models.
        mlflow: URL of the tracking server that has the models' runs, if people can open it.
    """
    kinds = sorted({archive.kind for archive in archives})
    return {
        "openapi": "3.1.0",
        "info": {"title": "Seqline", "version": "1", "description": DESCRIPTION} | ({"x-mlflow": mlflow} if mlflow else {}),
        "paths": {f"/predictions/{archive.name}": {"post": _operation(archive)} for archive in archives}
        | {"/feedback": {"post": _feedback()}, "/feedback/{id}": {"delete": _deletion()}},
        "components": {
            "schemas": _schemas(kinds),
            "responses": {str(status): _fault(status, text) for status, text in FAULTS.items()},
            "headers": {
                VERSION: _header("version of the model: its version in the registry and the first digits of its bundle's sha256"),
                RUN: _header("MLflow run that registered the model"),
                REQUEST_ID: _header("id of the answer, for feedback"),
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
        "summary": f"Send a request to the model {archive.name}",
        "parameters": [
            {
                "name": DEADLINE,
                "in": "header",
                "description": "time limit for the answer, in seconds; it can only lower the server's own limit",
                "schema": deadline,
            }
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": _content(archive, "request", f"{archive.kind}_request")},
        },
        "responses": {"200": _answer(archive), **faults},
    }


def _feedback() -> Json:
    """Feedback on an answer; the examples are of a classifier and of a translator."""
    identity = "0123456789abcdef0123456789abcdef"
    examples = {"class": {"id": identity, "label": "French"}, "text": {"id": identity, "text": "The cat sleeps.", "input": 2}}
    content = {"schema": {"$ref": TEMPLATE.format(model="Feedback")}, "examples": {n: {"value": v} for n, v in examples.items()}}
    return {
        "operationId": "give_feedback",
        "summary": "Say what is the right answer to an input",
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": _about_record("Judged", "Whether the answer was right.", (400, 401, 404, 405, 413, 415, 429, 503)),
    }


def _deletion() -> Json:
    where = {"name": "id", "in": "path", "required": True, "description": f"from the answer's header {REQUEST_ID}"}
    return {
        "operationId": "delete_feedback",
        "summary": "Delete the record of an answer and the feedback on it",
        "parameters": [where | {"schema": {"type": "string", "pattern": f"^{feedback.ID}$"}}],
        "responses": _about_record("Deleted", "They are deleted.", (401, 404, 415, 429, 503)),
    }


def _about_record(model: str, text: str, faults: Sequence[int]) -> Json:
    answer = {"application/json": {"schema": {"$ref": TEMPLATE.format(model=model)}}}
    shared = {str(status): {"$ref": f"#/components/responses/{status}"} for status in faults}
    return {"200": {"description": text, "content": answer}, **shared}


def _answer(archive: Archive) -> Json:
    content = {"application/json": _content(archive, "answer", f"{archive.kind}_answer")}
    if streamed(archive.kind):
        lines = 'for a request with "stream": a line for each part of the answer, then a last line with the whole answer'
        content["application/x-ndjson"] = {"schema": {"type": "string", "description": lines}}
    return {
        "description": "The answer to each input.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in (VERSION, RUN, REQUEST_ID)},
        "content": content,
    }


def _content(archive: Archive, side: str, schema: str) -> Json:
    """The schema of the request or the answer, with the archive's examples."""
    examples = {f"example{i}": {"summary": e.summary, "value": getattr(e, side)} for i, e in enumerate(archive.examples, 1)}
    return {"schema": {"$ref": TEMPLATE.format(model=schema)}, "examples": examples}


def _fault(status: int, text: str) -> Json:
    headers = {"Retry-After": {"schema": {"type": "integer"}}} if status in (429, 503) else {}
    schema = {"$ref": TEMPLATE.format(model=ErrorAnswer.__name__)}
    return {"description": text, "content": {"application/json": {"schema": schema}}} | ({"headers": headers} if headers else {})


def _header(text: str) -> Json:
    return {"description": text, "schema": {"type": "string"}}


def _schemas(kinds: Sequence[str]) -> Json:
    """Definitions of all types, and for each kind the entries `KIND_request` and `KIND_answer`."""
    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = []
    for kind in kinds:
        adapters.append((f"{kind}_request", "validation", TypeAdapter(contract(kind).REQUEST)))
        adapters.append((f"{kind}_answer", "serialization", contract(kind).ANSWER))
        if line := streamed(kind):
            adapters.append((f"{kind}_line", "serialization", line))
    sides, definitions = TypeAdapter.json_schemas(adapters, ref_template=TEMPLATE)
    own: list[tuple[type[BaseModel], JsonSchemaMode]] = [(feedback.Feedback, "validation")]
    own += [(model, "serialization") for model in (ErrorAnswer, feedback.Judged, feedback.Deleted)]
    _, extra = models_json_schema(own, ref_template=TEMPLATE)
    named = {name: schema for (name, _), schema in sides.items()}
    return dict(sorted({**definitions.get("$defs", {}), **extra["$defs"], **named}.items()))
