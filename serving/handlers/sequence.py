"""TorchServe's handler for every model: passes rows to a predictor and returns its replies, row by row."""

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ts.handler_utils.utils import send_intermediate_predict_response

from serving import contents
from serving.contract import headers
from serving.predictor import load_predictor
from serving.records import FILE, Keeping
from serving.telemetry.metrics import PrometheusMeter
from serving.telemetry.recorder import Answered, Recorder

LINES = "application/x-ndjson"  # streamed answers: one JSON value per line


class SequenceHandler:
    """Serves the bundle in the model's folder. TorchServe requires exactly one class in a handler's module."""

    def initialize(self, context: Any) -> None:
        """Load the bundle that was unpacked from the model archive; after an error the worker does not become ready."""
        folder, config = Path(context.system_properties["model_dir"]), context.model_yaml_config
        version = context.manifest["model"]["modelVersion"]
        reference = contents.Reference.model_validate_json((folder / contents.REFERENCE).read_bytes())
        self._meter = PrometheusMeter(context.model_name, version, reference)
        keeping = Keeping.from_environment() if FILE in os.environ else None  # without `seqline up`, nothing is kept
        self._recorder = Recorder(context.model_name, version, keeping)
        self._predictor = load_predictor(folder, self._meter)
        logging.getLogger().setLevel(logging.WARNING)  # otherwise workers log several lines per batch
        self._limit_s = float(config[contents.DEADLINE])
        self._origin = {headers.VERSION: version, headers.RUN: config[contents.RUN]}

    def handle(self, rows: Sequence[Mapping[str, object]], context: Any) -> list[bytes]:
        """Answer a batch in one call of the predictor. Each row has its own status, so a bad row never fails the others."""
        streamed: set[int] = set()

        def emit(place: int, part: object) -> None:
            streamed.add(place)
            self._head(context, place, HTTPStatus.OK, LINES)
            # TorchServe sends only to requests in this mapping, so the others in the batch get complete answers.
            ids = {place: context.request_ids[place]}
            send_intermediate_predict_response({place: _json(part) + b"\n"}, ids, "streaming", HTTPStatus.OK, context)

        sent = [{name.lower(): value for name, value in context.get_all_request_header(i).items()} for i in range(len(rows))]
        probes = {i for i, of_row in enumerate(sent) if _is_probe(of_row)}
        deadlines = [self._deadline(of_row) for of_row in sent]
        replies = self._predictor.answer([_body(row) for row in rows], emit, deadlines, probes)
        for i, reply in enumerate(replies):
            self._head(context, i, reply.status, LINES if i in streamed else "application/json")
        answers = [_json(reply.body) + b"\n" * (i in streamed) for i, reply in enumerate(replies)]
        taken = [_since_arrival(of_row) for of_row in sent]
        for i, seconds in enumerate(taken):
            if seconds is not None and i not in probes:
                self._meter.answered(seconds)
        self._recorder.write(
            [
                Answered(identity, seconds, _body(row), reply.body, i in probes)
                for i, (row, of_row, seconds, reply) in enumerate(zip(rows, sent, taken, replies, strict=True))
                if reply.status == HTTPStatus.OK and seconds is not None and (identity := of_row.get(headers.REQUEST_ID.lower()))
            ]
        )
        return answers

    def _deadline(self, sent: Mapping[str, str]) -> float:
        """The deadline of a request, by `time.monotonic`. With a proxy, its time starts when the request reaches the proxy.

        A header that is not a number is ignored; the proxy refuses it.

        Args:
            sent: the request's headers, with lower-case names.
        """
        waited = _since_arrival(sent)
        if waited is not None and not _is_probe(sent):
            self._meter.queued(waited)
        asked = _number(sent.get(headers.DEADLINE.lower())) or self._limit_s
        return time.monotonic() + min(asked, self._limit_s) - (waited or 0.0)

    def _head(self, context: Any, place: int, status: int, content_type: str) -> None:
        context.set_response_status(code=status, phrase=HTTPStatus(status).phrase, idx=place)
        context.set_response_content_type(place, content_type)
        for name, value in self._origin.items():
            context.set_response_header(place, name, value)


def _is_probe(sent: Mapping[str, str]) -> bool:
    """Whether the request is a health check or a copy for a shadow, which no metric counts."""
    return bool(sent.get(headers.PROBE.lower()))


def _since_arrival(sent: Mapping[str, str]) -> float | None:
    """Seconds since the request arrived; None if its headers do not tell."""
    arrived = _number(sent.get(headers.ARRIVED.lower()))
    return None if arrived is None else max(0.0, time.time() - arrived)


def _number(text: str | None) -> float | None:
    """The positive number in a header; None if it has none."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if number > 0 else None


def _json(body: object) -> bytes:
    """JSON as UTF-8. A lone surrogate, invalid in UTF-8, becomes a JSON escape; an exception would fail the whole batch."""
    return json.dumps(body, ensure_ascii=False).encode(errors="backslashreplace")


def _body(row: Mapping[str, object]) -> object:
    """The form field `data` or else the whole body; None if the transport dropped it, as it does for URL-encoded forms."""
    data = row.get("data")
    return row.get("body") if data is None else data  # not `or`: an empty field must not count as missing
