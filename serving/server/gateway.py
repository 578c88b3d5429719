"""The server of pages and requests where there is no proxy: `python -m serving.server.gateway FOLDER INFERENCE EXPORTER PORT`.

TorchServe serves no pages, and a page may only send requests to where it came from. So both have one origin here.
"""

import hmac
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector, hdrs, web

from serving.contract import headers
from serving.contract.faults import FAILED, NO_KEY, NOT_FOUND, NOT_POST, UNAVAILABLE, ErrorAnswer, ErrorDetail
from serving.server import site
from serving.server.instance import Instance
from serving.server.keys import TorchServeKeys
from serving.server.ports import HOST

LARGEST: Final = 2**20  # bytes of a body, as TorchServe's own limit
TOO_LARGE: Final = ErrorDetail(code="body_too_large", message=f"the body is larger than {LARGEST // 1024}k")
FORWARDED: Final = (hdrs.CONTENT_TYPE, hdrs.AUTHORIZATION, headers.DEADLINE)
RETURNED: Final = (hdrs.CONTENT_TYPE, headers.VERSION, headers.RUN, "X-Request-Id")
ERRORS: Final = {401: NO_KEY, 404: NOT_FOUND, 405: NOT_POST, 413: TOO_LARGE, 503: UNAVAILABLE, 507: UNAVAILABLE}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gateway:
    """Passes requests with the server's key on to TorchServe and to the exporter of metrics.

    Args:
        instance: the server's folder.
        inference: TorchServe's port for predictions.
        exporter: URL of the metrics.
    """

    def __init__(self, instance: Instance, inference: int, exporter: str) -> None:
        self._instance, self._models, self._metrics = instance, f"http://{HOST}:{inference}", exporter

    def application(self) -> web.Application:
        """The application with all its routes."""
        application = web.Application(middlewares=[_errors_as_json], client_max_size=LARGEST)
        application.cleanup_ctx.append(self._connected)
        application.router.add_post(r"/predictions/{model:[\w.-]+}", self._predict)
        application.router.add_get("/metrics", self._measured)
        for path, name in site.VIEWS.items():
            application.router.add_get(path, self._file(name))
        application.router.add_static("/web", self._instance.site / "web")
        application.on_response_prepare.append(_guard)
        return application

    async def _connected(self, _: web.Application) -> AsyncIterator[None]:
        connector, patience = TCPConnector(limit=0), ClientTimeout(total=None, sock_connect=2)
        # What is passed on must not be compressed on the way here.
        async with ClientSession(
            connector=connector, timeout=patience, skip_auto_headers=[hdrs.ACCEPT_ENCODING]
        ) as self._session:
            yield

    async def _predict(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on with the time of its arrival, and return the answer as it comes."""
        self._check_key(request)
        sent = {name: request.headers[name] for name in FORWARDED if name in request.headers}
        sent[headers.ARRIVED] = f"{time.time():.3f}"
        model, body = request.match_info["model"], await request.read()
        async with self._session.post(f"{self._models}/predictions/{model}", data=body, headers=sent) as answer:
            if answer.status >= 400 and headers.VERSION not in answer.headers:  # from TorchServe, not from a model
                return _error(answer.status if answer.status in ERRORS else 500)
            return await _passed_on(request, answer)

    async def _measured(self, request: web.Request) -> web.StreamResponse:
        self._check_key(request)
        async with self._session.get(self._metrics) as answer:
            return web.Response(body=await answer.read(), headers={hdrs.CONTENT_TYPE: answer.headers[hdrs.CONTENT_TYPE]})

    def _file(self, name: str) -> Handler:
        async def handler(_: web.Request) -> web.StreamResponse:
            return web.FileResponse(self._instance.site / name)

        return handler

    def _check_key(self, request: web.Request) -> None:
        """Raise HTTPUnauthorized if a request does not have TorchServe's key."""
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        right = TorchServeKeys.read(self._instance.keys).inference
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), right.encode()):
            raise web.HTTPUnauthorized


async def _passed_on(request: web.Request, answer: ClientResponse) -> web.StreamResponse:
    """An answer with its status and headers; a streamed one in the pieces in which it arrives."""
    kept = {name: answer.headers[name] for name in RETURNED if name in answer.headers}
    if hdrs.CONTENT_LENGTH in answer.headers:
        return web.Response(status=answer.status, headers=kept, body=await answer.read())
    response = web.StreamResponse(status=answer.status, headers=kept)
    await response.prepare(request)
    async for piece in answer.content.iter_any():
        await response.write(piece)
    return response


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give errors the form that those of the models have."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _error(404 if error.status == 403 else error.status)  # 403: a folder
    except (ClientError, OSError):
        return _error(503)


def _error(status: int) -> web.Response:
    status = 503 if status == 507 else status
    extra = {401: {hdrs.WWW_AUTHENTICATE: "Bearer"}, 405: {hdrs.ALLOW: "POST"}, 503: {hdrs.RETRY_AFTER: "1"}}
    text = ErrorAnswer.body(ERRORS.get(status, FAILED))
    return web.Response(status=status, text=text, content_type="application/json", headers=extra.get(status))


async def _guard(request: web.Request, response: web.StreamResponse) -> None:
    if not request.path.startswith("/predictions/"):
        response.headers.update(site.HEADERS)


def main(folder: str, inference: str, exporter: str, port: str) -> None:
    """Serve until SIGTERM; answers in progress are finished first."""
    gateway = Gateway(Instance(Path(folder)), int(inference), exporter)
    web.run_app(gateway.application(), host=HOST, port=int(port), access_log=None, print=None, shutdown_timeout=1.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
