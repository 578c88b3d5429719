"""Takes feedback and, without a proxy, all requests: `python -m serving.server.gateway FOLDER INFERENCE EXPORTER PORT TIMEOUT_S`.

TorchServe serves no pages, and a page may only send requests to where it came from. So both have one origin here. A proxy passes
only feedback on to it.
"""

import asyncio
import hmac
import logging
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cached_property
from pathlib import Path
from typing import Final
from uuid import uuid4

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector, hdrs, web

from serving.contract import faults, headers
from serving.contract.faults import ErrorAnswer, ErrorDetail, RequestError
from serving.contract.feedback import ID
from serving.records import Keeping
from serving.server import site
from serving.server.feedback import FeedbackApi, RefusedError
from serving.server.instance import Instance
from serving.server.keys import TorchServeKeys
from serving.server.ports import HOST
from serving.server.trials import log

LARGEST: Final = 2**20  # bytes of a body, as TorchServe's own limit
TOO_LARGE: Final = ErrorDetail(code="body_too_large", message=f"the body is larger than {LARGEST // 1024}k")
RETURNED: Final = (hdrs.CONTENT_TYPE, headers.VERSION, headers.RUN)
API: Final = ("/predictions/", "/feedback")  # the beginnings of all addresses but those of pages
ERRORS: Final = {
    401: faults.NO_KEY,
    404: faults.NOT_FOUND,
    405: faults.NOT_POST,
    413: TOO_LARGE,
    415: faults.ENCODED,
    503: faults.UNAVAILABLE,
    504: faults.LATE,
}
# Errors with another meaning here: a folder, and TorchServe's for a worker that died.
SAME: Final = {403: 404, 502: 503, 507: 503}
EXTRA: Final = {401: {hdrs.WWW_AUTHENTICATE: "Bearer"}, 405: {hdrs.ALLOW: "POST"}, 503: {hdrs.RETRY_AFTER: "1"}}
SECONDS: Final = re.compile(r"(?=.*[1-9])([0-9]{1,5}(\.[0-9]{0,6})?|\.[0-9]{1,6})", re.ASCII)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gateway:
    """Passes requests with the server's key on to TorchServe, to the exporter of metrics and to the records.

    Args:
        instance: the server's folder.
        inference: TorchServe's port for predictions.
        exporter: URL of the metrics.
        timeout_s: seconds without a part of an answer after which TorchServe must have lost the request.
        keeping: what the server keeps of its answers.
    """

    def __init__(self, instance: Instance, inference: int, exporter: str, timeout_s: float, keeping: Keeping) -> None:
        self._instance, self._models, self._metrics = instance, f"http://{HOST}:{inference}", exporter
        self._feedback = FeedbackApi(instance, keeping)
        self._patience = ClientTimeout(total=None, sock_connect=2, sock_read=timeout_s)

    def application(self) -> web.Application:
        """The application with all its routes."""
        application = web.Application(middlewares=[_errors_as_json], client_max_size=LARGEST)
        application.cleanup_ctx.extend((self._connected, self._feedback.running, self._rotating))
        application.router.add_post(r"/predictions/{model:[A-Za-z0-9_][A-Za-z0-9_.-]*}", self._predict)
        application.router.add_post("/feedback", self._with_key(self._feedback.judge))
        application.router.add_delete(f"/feedback/{{id:{ID}}}", self._with_key(self._feedback.forget))
        application.router.add_get("/metrics", self._with_key(self._measured))
        for path, name in site.VIEWS.items():
            application.router.add_get(path, self._file(name))
        application.router.add_static("/web", self._instance.site / "web")
        application.on_response_prepare.append(_guard)
        return application

    async def _connected(self, _: web.Application) -> AsyncIterator[None]:
        # Without the header, what is passed on is not compressed on the way here.
        without = [hdrs.ACCEPT_ENCODING]
        async with ClientSession(
            connector=TCPConnector(limit=0), timeout=self._patience, skip_auto_headers=without
        ) as self._session:
            yield

    async def _rotating(self, _: web.Application) -> AsyncIterator[None]:
        rotating = asyncio.create_task(log.keep_small(self._instance))
        yield
        rotating.cancel()

    async def _predict(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on with the time of its arrival, and return the answer as it comes."""
        # TorchServe parses bodies that are declared as JSON, and accepts duplicate keys; the model's own parser is stricter.
        sent: dict[str, str] = {
            hdrs.AUTHORIZATION: f"Bearer {self._key(request)}",
            hdrs.CONTENT_TYPE: "application/octet-stream",
        }
        identity = uuid4().hex
        sent |= {headers.ARRIVED: f"{time.time():.3f}", headers.REQUEST_ID: identity}
        if deadline := request.headers.get(headers.DEADLINE):
            if not SECONDS.fullmatch(deadline):
                return _response(400, faults.INVALID_DEADLINE)
            sent[headers.DEADLINE] = deadline
        url, body = f"{self._models}/predictions/{request.match_info['model']}", await request.read()
        async with self._session.post(url, data=body, headers=sent) as answer:
            if answer.status >= 400 and headers.VERSION not in answer.headers:  # from TorchServe, not from a model
                return _error(answer.status)
            return await _passed_on(request, answer, identity)

    async def _measured(self, _: web.Request) -> web.StreamResponse:
        async with self._session.get(self._metrics, raise_for_status=True) as answer:
            return web.Response(body=await answer.read(), headers={hdrs.CONTENT_TYPE: answer.headers[hdrs.CONTENT_TYPE]})

    def _file(self, name: str) -> Handler:
        async def handler(_: web.Request) -> web.StreamResponse:
            return web.FileResponse(self._instance.site / name)

        return handler

    def _with_key(self, handler: Handler) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            self._key(request)
            return await handler(request)

        return checked

    @cached_property
    def _right(self) -> str:
        """TorchServe's key, which does not change while it runs."""
        return TorchServeKeys.read(self._instance.keys).inference

    def _key(self, request: web.Request) -> str:
        """TorchServe's key. Raises HTTPUnauthorized if the request does not have it, and refuses an encoded body."""
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        right = self._right
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(errors="surrogateescape"), right.encode()):
            raise web.HTTPUnauthorized
        if request.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity":
            raise web.HTTPUnsupportedMediaType
        return right


async def _passed_on(request: web.Request, answer: ClientResponse, identity: str) -> web.StreamResponse:
    """An answer with its status, headers and id; a streamed one in the pieces in which it arrives."""
    kept = {name: answer.headers[name] for name in RETURNED if name in answer.headers} | {headers.REQUEST_ID: identity}
    if hdrs.CONTENT_LENGTH in answer.headers:
        return web.Response(status=answer.status, headers=kept, body=await answer.read())
    response = web.StreamResponse(status=answer.status, headers=kept)
    await response.prepare(request)
    try:
        async for piece in answer.content.iter_any():
            await response.write(piece)
    except (ClientError, OSError):
        if request.transport:
            request.transport.abort()  # the client must not take half an answer for the whole
    return response


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give errors the form that those of the models have."""
    try:
        return await handler(request)
    except RequestError as error:
        return _response(400, error.detail)
    except RefusedError as error:
        return _response(error.status, error.detail)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        only_post = request.path.startswith("/predictions/") or request.path == "/feedback"
        return _error(404 if error.status == 405 and not only_post else error.status)
    except (ClientError, OSError):
        return _error(503)
    except Exception:
        logging.getLogger(__name__).exception("a request failed")
        return _error(500)


def _error(status: int) -> web.Response:
    status = SAME.get(status, status)
    known = ERRORS.get(status)
    return _response(status, known) if known else _response(500, faults.FAILED)


def _response(status: int, detail: ErrorDetail) -> web.Response:
    body = ErrorAnswer.body(detail).encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=EXTRA.get(status))


async def _guard(request: web.Request, response: web.StreamResponse) -> None:
    if not request.path.startswith(API):
        response.headers.update(site.HEADERS)


def main(folder: str, inference: str, exporter: str, port: str, timeout_s: str) -> None:
    """Serve until SIGTERM."""
    gateway = Gateway(Instance(Path(folder)), int(inference), exporter, float(timeout_s), Keeping.from_environment())
    web.run_app(gateway.application(), host=HOST, port=int(port), access_log=None, print=None, shutdown_timeout=1.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
