"""REST over persistent HTTP/1.1 connections."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from serving.client.exchange import Reply, ServingError, fault
from serving.contract.headers import DEADLINE, REQUEST_ID


class Rest:
    """A server's REST interface.

    Args:
        url: base URL, without "/predictions/MODEL".
        key: key of the server.
        timeout_s: time limit for an answer, in seconds.
        certificates: PEM file of trusted certificates, for a server with a self-signed certificate.
    """

    def __init__(self, url: str, key: str, timeout_s: float, certificates: Path | None) -> None:
        self._client = httpx2.Client(
            base_url=url, headers=_headers(key, timeout_s), timeout=timeout_s, verify=_trust(certificates), trust_env=False
        )

    def send(self, model: str, body: bytes) -> Reply:
        """Post a request.

        Raises:
            ServingError: there is no answer.
        """
        with _reachable():
            response = self._client.post(f"/predictions/{model}", content=body)
        return _checked(response)

    def judge(self, body: bytes) -> bytes:
        """Post feedback and return the reply's body.

        Raises:
            ServingError: it is not accepted.
        """
        with _reachable():
            response = self._client.post("/feedback", content=body)
        return _checked(response).body

    def stream(self, model: str, body: bytes) -> Iterator[bytes]:
        """Post a request and yield the lines of the answer as they arrive.

        Raises:
            ServingError: there is no answer, or the connection breaks.
        """
        with _reachable(), self._client.stream("POST", f"/predictions/{model}", content=body) as response:
            if response.status_code != 200:
                response.read()
                _checked(response)
            for line in response.iter_lines():
                yield line.encode()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class AsyncRest:
    """Asynchronous version of `Rest`."""

    def __init__(self, url: str, key: str, timeout_s: float, certificates: Path | None) -> None:
        self._client = httpx2.AsyncClient(
            base_url=url, headers=_headers(key, timeout_s), timeout=timeout_s, verify=_trust(certificates), trust_env=False
        )

    async def send(self, model: str, body: bytes) -> Reply:
        """See `Rest.send`."""
        with _reachable():
            response = await self._client.post(f"/predictions/{model}", content=body)
        return _checked(response)

    async def judge(self, body: bytes) -> bytes:
        """See `Rest.judge`."""
        with _reachable():
            response = await self._client.post("/feedback", content=body)
        return _checked(response).body

    async def stream(self, model: str, body: bytes) -> AsyncIterator[bytes]:
        """See `Rest.stream`."""
        with _reachable():
            async with self._client.stream("POST", f"/predictions/{model}", content=body) as response:
                if response.status_code != 200:
                    await response.aread()
                    _checked(response)
                async for line in response.aiter_lines():
                    yield line.encode()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _headers(key: str, timeout_s: float) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json", DEADLINE: f"{timeout_s:.6g}"}


def _trust(certificates: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=None if certificates is None else str(certificates))


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except httpx2.TimeoutException as error:
        raise ServingError(0, "deadline_exceeded", "the request timed out") from error
    except (httpx2.NetworkError, httpx2.RemoteProtocolError) as error:
        raise ServingError(0, "unreachable", f"the server cannot be reached: {error}") from error


def _checked(response: httpx2.Response) -> Reply:
    if response.status_code != 200:
        raise fault(response.status_code, response.content, response.headers.get("Retry-After"))
    return Reply(response.content, response.headers.get(REQUEST_ID))
