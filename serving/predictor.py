"""The interface between transports and models: request bodies in, replies out, one batch at a time."""

import logging
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from serving.bundle import Bundle
from serving.contract.body import parse_body
from serving.contract.documents import inputs_of
from serving.contract.faults import FAILED, LATE, ErrorAnswer, ErrorDetail, RequestError
from serving.contract.requests import parse_request
from serving.endpoints.kinds import endpoint
from serving.endpoints.shared import Emit, Endpoint, Json
from serving.predictors.watch import DeadlineError, Watch
from serving.telemetry.meter import Batch, Meter, Text

logger = logging.getLogger(__name__)

Groups = dict[Hashable, dict[int, Any]]  # requests that go through the model together, by their positions


@dataclass(frozen=True)
class Reply:
    """An HTTP status and a body that json.dumps takes."""

    status: int
    body: Json

    @property
    def code(self) -> str:
        """The error code; "" for a success."""
        return "" if self.status == HTTPStatus.OK else str(self.body["error"]["code"])


class _Emit:
    """Sends parts of an answer and records whether it has sent any."""

    def __init__(self, emit: Emit) -> None:
        self._emit, self.used = emit, False

    def __call__(self, part: Json) -> None:
        self.used = True
        self._emit(part)


class Predictor:
    """Answers requests of the contract with one model. It keeps no state between calls.

    Args:
        endpoint: the model.
        meter: records every call; optional.
    """

    def __init__(self, endpoint: Endpoint[Any], meter: Meter | None = None) -> None:
        self._endpoint, self._meter = endpoint, meter

    def answer(
        self,
        bodies: Sequence[object],
        emit: Callable[[int, Json], None] | None = None,
        deadlines: Sequence[float] | None = None,
        probes: Collection[int] = (),
    ) -> list[Reply]:
        """One reply for each body, in order. Streamed parts go to `emit` first, with the request's position.

        A body is whatever the transport delivered: parsed JSON, raw bytes, a str, or None. Compatible requests go through the
        model together; a wrong one gets status 400 and does not affect the others. If the model fails, each request of that
        pass is retried alone; one that fails again gets a 500, and the reason is logged. A request whose deadline (by
        `time.monotonic`) has passed gets a 504; a pass with several requests has until the latest of their deadlines. Requests
        at the positions in `probes` are health checks, which are not counted.
        """
        deadlines = deadlines or [math.inf] * len(bodies)
        started = time.perf_counter()
        replies, groups = self._read(bodies, deadlines)
        read = time.perf_counter()
        model_s = 0.0
        for group in groups.values():
            watch = Watch(max(deadlines[i] for i in group))
            emits = [_Emit(partial(emit or _no_stream, i)) for i in group]
            replies.update(zip(group, self._answer(list(group.values()), emits, watch), strict=True))
            model_s += watch.model_s
        if self._meter:
            rest = time.perf_counter() - read - model_s
            counted = {place: reply for place, reply in replies.items() if place not in probes}
            self._tell(self._meter, groups, counted, (read - started, model_s, rest))
        return [replies[i] for i in range(len(bodies))]

    def answer_texts(self, texts: Sequence[str], parameters: Mapping[str, Any]) -> Reply:
        """The reply to one request of a transport that carries texts and parameters, with an answer to each text.

        Args:
            texts: the inputs; if the model's inputs are not texts, each of them as JSON.
            parameters: parameters of the contract; may be empty.
        """
        try:
            inputs = inputs_of(texts, self._endpoint.request)
        except RequestError as error:
            return _failure(HTTPStatus.BAD_REQUEST, error.detail)
        (reply,) = self.answer([{"inputs": inputs} | ({"parameters": parameters} if parameters else {})])
        return reply

    def _read(self, bodies: Sequence[object], deadlines: Sequence[float]) -> tuple[dict[int, Reply], Groups]:
        """The valid requests in groups, and replies to the invalid and the late ones."""
        replies: dict[int, Reply] = {}
        groups: Groups = defaultdict(dict)
        for i, body in enumerate(bodies):
            try:
                Watch(deadlines[i]).check()
                request = parse_request(self._endpoint.request, parse_body(body))
                self._endpoint.check(request)
                groups[self._endpoint.group(request)][i] = request
            except RequestError as error:
                replies[i] = _failure(HTTPStatus.BAD_REQUEST, error.detail)
            except DeadlineError:
                replies[i] = _failure(HTTPStatus.GATEWAY_TIMEOUT, LATE)
            except Exception:
                logger.exception("a request could not be checked")
                replies[i] = _failure(HTTPStatus.INTERNAL_SERVER_ERROR, FAILED)
        return replies, groups

    def _answer(self, requests: list[Any], emits: Sequence[_Emit], watch: Watch) -> list[Reply]:
        """The replies to one group."""
        try:
            return [Reply(HTTPStatus.OK, body) for body in self._endpoint.answer(requests, emits, watch)]
        except DeadlineError:
            return [_failure(HTTPStatus.GATEWAY_TIMEOUT, LATE)] * len(requests)
        except Exception as error:
            if len(requests) > 1:  # a single one of them may be the cause
                return [
                    reply for request, emit in zip(requests, emits, strict=True) for reply in self._again(request, emit, watch)
                ]
            if isinstance(error, RequestError):  # an error that the checks could not foresee
                return [_failure(HTTPStatus.BAD_REQUEST, error.detail)]
            logger.exception("the model failed on a request")
            return [_failure(HTTPStatus.INTERNAL_SERVER_ERROR, FAILED)]

    def _again(self, request: Any, emit: _Emit, watch: Watch) -> list[Reply]:
        """Retry one request alone; it fails if parts of its answer were already streamed, as they would be sent twice."""
        return [_failure(HTTPStatus.INTERNAL_SERVER_ERROR, FAILED)] if emit.used else self._answer([request], [emit], watch)

    def _tell(self, meter: Meter, groups: Groups, replies: Mapping[int, Reply], seconds: tuple[float, float, float]) -> None:
        """Report the work to the meter. A failure there must not fail the requests."""
        if not replies:
            return
        try:
            counts = Counter((reply.status, reply.code) for reply in replies.values())
            meter.batch(Batch(counts, list(self._texts(groups, replies)), *seconds))
        except Exception:
            logger.exception("a batch could not be counted")

    def _texts(self, groups: Groups, replies: Mapping[int, Reply]) -> Iterator[Text]:
        for group in groups.values():
            for place, request in group.items():
                if place in replies and replies[place].status == HTTPStatus.OK:
                    yield from self._endpoint.measure(request, replies[place].body)


def load_predictor(folder: Path, meter: Meter | None = None) -> Predictor:
    """Verify the bundle in `folder` and load the predictor of its kind.

    Raises:
        BundleError: the folder has no valid bundle.
    """
    bundle = Bundle.load(folder)
    return Predictor(endpoint(folder, bundle), meter)


def _no_stream(_place: int, _part: Json) -> None:
    """Drop the streamed parts: without a listener, the reply, which is the last line of the stream, is complete in itself."""


def _failure(status: int, detail: ErrorDetail) -> Reply:
    return Reply(status, ErrorAnswer(error=detail).model_dump(exclude_none=True))
