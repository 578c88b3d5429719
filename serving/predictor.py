"""What a transport needs of a model: bodies in, replies out, for a whole batch at once."""

import logging
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from serving.body import parse_body
from serving.bundle import Bundle, Kind
from serving.contract import parse_request
from serving.endpoints import (
    ClassificationEndpoint,
    Emit,
    Endpoint,
    GenerationEndpoint,
    Json,
    TranslationEndpoint,
    VectorsEndpoint,
)
from serving.faults import ErrorAnswer, ErrorDetail, RequestError

logger = logging.getLogger(__name__)

ENDPOINTS: Final[dict[Kind, Callable[[Path, Bundle], Endpoint[Any]]]] = {
    "classification": ClassificationEndpoint,
    "generation": GenerationEndpoint,
    "translation": TranslationEndpoint,
    "vectors": VectorsEndpoint,
}
FAILED: Final = ErrorDetail(code="internal_error", message="the model failed on this request; the server's log says why")


@dataclass(frozen=True)
class Reply:
    """An HTTP status and a body that json.dumps takes."""

    status: int
    body: Json


class Predictor:
    """Answers requests of the contract with one model. It keeps nothing between calls."""

    def __init__(self, endpoint: Endpoint[Any]) -> None:
        self._endpoint = endpoint

    def answer(self, bodies: Sequence[object], emit: Callable[[int, Json], None] | None = None) -> list[Reply]:
        """One reply for each body, in order. What a request wants streamed goes to `emit` first, with the request's place.

        A body is whatever the transport delivered: parsed JSON, raw bytes, a str, or None. Requests that can go through the
        model together do; one that is at fault gets a status of 400 and leaves the others untouched. Where the model fails,
        the requests of that pass get a 500, and the log the reason.
        """
        replies: dict[int, Reply] = {}
        groups: dict[Hashable, dict[int, Any]] = defaultdict(dict)
        for i, body in enumerate(bodies):
            try:
                request = parse_request(self._endpoint.request, parse_body(body))
                self._endpoint.check(request)
                groups[self._endpoint.group(request)][i] = request
            except RequestError as error:
                replies[i] = _failure(400, error.detail)
            except Exception:
                logger.exception("a request could not be checked")
                replies[i] = _failure(500, FAILED)
        for group in groups.values():
            emits = [partial(emit or _no_stream, i) for i in group]
            replies.update(zip(group, self._answer(list(group.values()), emits), strict=True))
        return [replies[i] for i in range(len(bodies))]

    def _answer(self, requests: list[Any], emits: Sequence[Emit]) -> list[Reply]:
        """The replies to one group."""
        try:
            return [Reply(200, body) for body in self._endpoint.answer(requests, emits)]
        except Exception:
            logger.exception("the model failed on %d requests", len(requests))
            return [_failure(500, FAILED)] * len(requests)


def load_predictor(folder: Path) -> Predictor:
    """Verify the bundle in `folder` and load the predictor of its kind.

    Raises:
        BundleError: there is no intact bundle.
    """
    bundle = Bundle.load(folder)
    return Predictor(ENDPOINTS[bundle.kind](folder, bundle))


def _no_stream(_place: int, _part: Json) -> None:
    """Where nobody listens, the last line of a stream, which is the reply, says it all."""


def _failure(status: int, detail: ErrorDetail) -> Reply:
    return Reply(status, ErrorAnswer(error=detail).model_dump(exclude_none=True))
