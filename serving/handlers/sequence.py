"""The handler of every model: hands TorchServe's rows to a predictor and its replies back, row by row."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from serving.predictor import load_predictor


class SequenceHandler:
    """Serves the bundle in the model's folder. TorchServe wants exactly one class in a handler's module."""

    def initialize(self, context: Any) -> None:
        """Load the bundle that was unpacked from the model archive; what fails here keeps the worker from getting ready."""
        self._predictor = load_predictor(Path(context.system_properties["model_dir"]))

    def handle(self, rows: Sequence[Mapping[str, object]], context: Any) -> list[bytes]:
        """Answer a batch in one call of the predictor; each row gets its own status, so a bad one never fails its neighbours."""
        replies = self._predictor.answer([_body(row) for row in rows])
        for i, reply in enumerate(replies):
            context.set_response_status(code=reply.status, phrase=HTTPStatus(reply.status).phrase, idx=i)
            context.set_response_content_type(i, "application/json")
        return [_json(reply.body) for reply in replies]


def _json(body: object) -> bytes:
    """UTF-8. A lone surrogate, which UTF-8 has no bytes for, becomes its JSON escape; raising would fail the whole batch."""
    return json.dumps(body, ensure_ascii=False).encode(errors="backslashreplace")


def _body(row: Mapping[str, object]) -> object:
    """What the client sent: the form field `data`, else the whole body; None where the transport lost it (a url-encoded form)."""
    data = row.get("data")
    return row.get("body") if data is None else data  # not `or`: an empty body is a body
