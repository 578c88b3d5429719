"""Clients that send typed requests and return typed answers."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import urlsplit

from serving.client.exchange import Answers, Asked, decode, decode_judgement, decode_line, encode
from serving.client.grpc import AsyncGrpc, Grpc
from serving.client.rest import AsyncRest, Rest
from serving.client.retry import async_retrying, retrying
from serving.contract.feedback import Feedback, Judged
from serving.endpoints.generation.contract import Drawn, GeneratedText, GenerationRequest

A = TypeVar("A")
ATTEMPTS: Final = 5
TIMEOUT_S: Final = 30.0


class Client:
    """Sends requests to a server's models and waits for the answers.

    Args:
        url: scheme, host and port; http:// or https:// for REST, grpc:// or grpcs:// for gRPC.
        key: key of the server.
        timeout_s: time limit for an answer, in seconds.
        attempts: total number of attempts for a request while the server is overloaded or unreachable.
        certificates: PEM file of trusted certificates, for a server with a self-signed certificate.

    Every call raises a ServingError if there is no answer.
    """

    def __init__(
        self, url: str, key: str, *, timeout_s: float = TIMEOUT_S, attempts: int = ATTEMPTS, certificates: Path | None = None
    ) -> None:
        target = urlsplit(url)
        self._transport: Rest | Grpc
        if target.scheme.startswith("grpc"):
            self._transport = Grpc(target.netloc, key, timeout_s, certificates, secure=target.scheme == "grpcs")
        else:
            self._transport = Rest(url, key, timeout_s, certificates)
        self._retrying = retrying(attempts)

    def ask(self, model: str, request: Asked[A]) -> Answers[A]:
        """Return the answer to each input of a request, in order; a single input gets a list of one."""
        return decode(request, self._retrying(self._transport.send, model, encode(request)))

    def send(self, model: str, body: bytes) -> bytes:
        """Send a body unchanged and return the body of the answer."""
        return self._retrying(self._transport.send, model, body).body

    def judge(self, feedback: Feedback) -> Judged:
        """Say what the right answer to an input would have been, given the `id` of `ask`'s answers; by REST only."""
        return decode_judgement(self._retrying(self._transport.judge, feedback.model_dump_json(exclude_none=True).encode()))

    def stream(self, model: str, request: GenerationRequest) -> Iterator[Drawn | list[GeneratedText]]:
        """Yield each character as it is drawn, then the name. The request must have `stream` set. It is not retried."""
        for line in self._transport.stream(model, encode(request)):
            yield decode_line(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._transport.close()


class AsyncClient:
    """Asynchronous version of `Client`."""

    def __init__(
        self, url: str, key: str, *, timeout_s: float = TIMEOUT_S, attempts: int = ATTEMPTS, certificates: Path | None = None
    ) -> None:
        target = urlsplit(url)
        self._transport: AsyncRest | AsyncGrpc
        if target.scheme.startswith("grpc"):
            self._transport = AsyncGrpc(target.netloc, key, timeout_s, certificates, secure=target.scheme == "grpcs")
        else:
            self._transport = AsyncRest(url, key, timeout_s, certificates)
        self._retrying = async_retrying(attempts)

    async def ask(self, model: str, request: Asked[A]) -> Answers[A]:
        """See `Client.ask`."""
        return decode(request, await self._retrying(self._transport.send, model, encode(request)))

    async def send(self, model: str, body: bytes) -> bytes:
        """See `Client.send`."""
        return (await self._retrying(self._transport.send, model, body)).body

    async def judge(self, feedback: Feedback) -> Judged:
        """See `Client.judge`."""
        body = feedback.model_dump_json(exclude_none=True).encode()
        return decode_judgement(await self._retrying(self._transport.judge, body))

    async def stream(self, model: str, request: GenerationRequest) -> AsyncIterator[Drawn | list[GeneratedText]]:
        """See `Client.stream`."""
        async for line in self._transport.stream(model, encode(request)):
            yield decode_line(line)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._transport.close()
