"""The handler of every model: hands TorchServe's rows to a predictor and its replies back, row by row."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ts.handler_utils.utils import send_intermediate_predict_response

from serving.predictor import load_predictor

LINES = "application/x-ndjson"  # of a streamed answer: a JSON value a line


class SequenceHandler:
    """Serves the bundle in the model's folder. TorchServe wants exactly one class in a handler's module."""

    def initialize(self, context: Any) -> None:
        """Load the bundle that was unpacked from the model archive; what fails here keeps the worker from getting ready."""
        self._predictor = load_predictor(Path(context.system_properties["model_dir"]))

    def handle(self, rows: Sequence[Mapping[str, object]], context: Any) -> list[bytes]:
        """Answer a batch in one call of the predictor; each row gets its own status, so a bad one never fails its neighbours."""
        streamed: set[int] = set()

        def emit(place: int, part: object) -> None:
            streamed.add(place)
            _head(context, place, HTTPStatus.OK, LINES)
            # TorchServe sends to the requests of the mapping alone: neighbours in the batch get whole answers.
            ids = {place: context.request_ids[place]}
            send_intermediate_predict_response({place: _json(part) + b"\n"}, ids, "streaming", HTTPStatus.OK, context)

        replies = self._predictor.answer([_body(row) for row in rows], emit)
        for i, reply in enumerate(replies):
            _head(context, i, reply.status, LINES if i in streamed else "application/json")
        return [_json(reply.body) + b"\n" * (i in streamed) for i, reply in enumerate(replies)]


def _head(context: Any, place: int, status: int, content_type: str) -> None:
    context.set_response_status(code=status, phrase=HTTPStatus(status).phrase, idx=place)
    context.set_response_content_type(place, content_type)


def _json(body: object) -> bytes:
    """UTF-8. A lone surrogate, which UTF-8 has no bytes for, becomes its JSON escape; raising would fail the whole batch."""
    return json.dumps(body, ensure_ascii=False).encode(errors="backslashreplace")


def _body(row: Mapping[str, object]) -> object:
    """What the client sent: the form field `data`, else the whole body; None where the transport lost it (a url-encoded form)."""
    data = row.get("data")
    return row.get("body") if data is None else data  # not `or`: an empty body is a body
