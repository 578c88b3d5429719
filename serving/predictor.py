"""What a transport needs of a model: bodies in, replies out, for a whole batch at once."""

import logging
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from serving.body import parse_body
from serving.bundle import Bundle, Kind
from serving.contract import parse_request
from serving.endpoints.classification import ClassificationEndpoint
from serving.endpoints.endpoint import Emit, Endpoint, Json
from serving.endpoints.generation import GenerationEndpoint
from serving.endpoints.translation import TranslationEndpoint
from serving.endpoints.vectors import VectorsEndpoint
from serving.faults import FAILED, LATE, ErrorAnswer, ErrorDetail, RequestError
from serving.meter import Batch, Meter, Text
from serving.watch import DeadlineError, Watch

logger = logging.getLogger(__name__)

ENDPOINTS: Final[dict[Kind, Callable[[Path, Bundle], Endpoint[Any]]]] = {
    "classification": ClassificationEndpoint,
    "generation": GenerationEndpoint,
    "translation": TranslationEndpoint,
    "vectors": VectorsEndpoint,
}
Groups = dict[Hashable, dict[int, Any]]  # requests that go through the model together, by their places


@dataclass(frozen=True)
class Reply:
    """An HTTP status and a body that json.dumps takes."""

    status: int
    body: Json

    @property
    def code(self) -> str:
        """What kind of error it is; "" where it is none."""
        return "" if self.status == HTTPStatus.OK else str(self.body["error"]["code"])


class Predictor:
    """Answers requests of the contract with one model. It keeps nothing between calls.

    Args:
        endpoint: the model.
        meter: is told of every call, where one is given.
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
        """One reply for each body, in order. What a request wants streamed goes to `emit` first, with the request's place.

        A body is whatever the transport delivered: parsed JSON, raw bytes, a str, or None. Requests that can go through the
        model together do; one that is at fault gets a status of 400 and leaves the others untouched. Where the model fails,
        the requests of that pass get a 500, and the log the reason. A request whose deadline (by `time.monotonic`) has passed
        gets a 504; requests in one pass have until the latest of their deadlines. The places of `probes` are not counted: nobody
        wanted to know what they ask, again and again.
        """
        deadlines = deadlines or [math.inf] * len(bodies)
        started = time.perf_counter()
        replies, groups = self._read(bodies, deadlines)
        read = time.perf_counter()
        model_s = 0.0
        for group in groups.values():
            watch = Watch(max(deadlines[i] for i in group))
            emits = [partial(emit or _no_stream, i) for i in group]
            replies.update(zip(group, self._answer(list(group.values()), emits, watch), strict=True))
            model_s += watch.model_s
        if self._meter:
            rest = time.perf_counter() - read - model_s
            counted = {place: reply for place, reply in replies.items() if place not in probes}
            self._tell(self._meter, groups, counted, (read - started, model_s, rest))
        return [replies[i] for i in range(len(bodies))]

    def _read(self, bodies: Sequence[object], deadlines: Sequence[float]) -> tuple[dict[int, Reply], Groups]:
        """The requests in groups, and replies to those that are none or come too late."""
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

    def _answer(self, requests: list[Any], emits: Sequence[Emit], watch: Watch) -> list[Reply]:
        """The replies to one group."""
        try:
            return [Reply(HTTPStatus.OK, body) for body in self._endpoint.answer(requests, emits, watch)]
        except DeadlineError:
            return [_failure(HTTPStatus.GATEWAY_TIMEOUT, LATE)] * len(requests)
        except Exception:
            logger.exception("the model failed on %d requests", len(requests))
            return [_failure(HTTPStatus.INTERNAL_SERVER_ERROR, FAILED)] * len(requests)

    def _tell(self, meter: Meter, groups: Groups, replies: Mapping[int, Reply], seconds: tuple[float, float, float]) -> None:
        """Have the work counted; what goes wrong there is no reason not to answer."""
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
        BundleError: there is no intact bundle.
    """
    bundle = Bundle.load(folder)
    return Predictor(ENDPOINTS[bundle.kind](folder, bundle), meter)


def _no_stream(_place: int, _part: Json) -> None:
    """Where nobody listens, the last line of a stream, which is the reply, says it all."""


def _failure(status: int, detail: ErrorDetail) -> Reply:
    return Reply(status, ErrorAnswer(error=detail).model_dump(exclude_none=True))
