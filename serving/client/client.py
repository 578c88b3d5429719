"""A server's models as functions from typed requests to typed answers."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, overload
from urllib.parse import urlsplit

from serving.answers import Classes, Drawn, GeneratedText, Names, Translation, WordsAnswer
from serving.client.exchange import decode, decode_line, encode
from serving.client.grpc import AsyncGrpc, Grpc
from serving.client.rest import AsyncRest, Rest
from serving.client.retry import async_retrying, retrying
from serving.contract import ClassificationRequest, GenerationRequest, Request, TranslationRequest, VectorsRequest

ATTEMPTS: Final = 5
TIMEOUT_S: Final = 30.0


class Client:
    """Asks a server's models and waits for the answers.

    Args:
        url: http:// or https:// for REST, grpc:// or grpcs:// for gRPC; host and port.
        key: that the server wants.
        timeout_s: seconds that an answer may take.
        attempts: how often a request is sent, in all, while the server has too much to do or cannot be reached.
        certificates: a PEM file of those to trust, for a server whose certificate no authority vouches for.

    Every call raises a ServingError where there is no answer.
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

    @overload
    def ask(self, model: str, request: ClassificationRequest) -> list[Classes]: ...
    @overload
    def ask(self, model: str, request: GenerationRequest) -> list[Names]: ...
    @overload
    def ask(self, model: str, request: TranslationRequest) -> list[Translation]: ...
    @overload
    def ask(self, model: str, request: VectorsRequest) -> list[WordsAnswer]: ...
    def ask(self, model: str, request: Request) -> list[Any]:
        """The answer to each input of a request, in order; a single text gets a list of one."""
        return decode(request, self.send(model, encode(request)))

    def send(self, model: str, body: bytes) -> bytes:
        """Send a body as it is, and return that of the answer."""
        return self._retrying(self._transport.send, model, body)

    def stream(self, model: str, request: GenerationRequest) -> Iterator[Drawn | list[GeneratedText]]:
        """Each character as it is drawn, and at the end the name. The request has to ask for a stream. It is not sent twice."""
        for line in self._transport.stream(model, encode(request)):
            yield decode_line(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._transport.close()


class AsyncClient:
    """The same for coroutines. See `Client`."""

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

    @overload
    async def ask(self, model: str, request: ClassificationRequest) -> list[Classes]: ...
    @overload
    async def ask(self, model: str, request: GenerationRequest) -> list[Names]: ...
    @overload
    async def ask(self, model: str, request: TranslationRequest) -> list[Translation]: ...
    @overload
    async def ask(self, model: str, request: VectorsRequest) -> list[WordsAnswer]: ...
    async def ask(self, model: str, request: Request) -> list[Any]:
        """See `Client.ask`."""
        return decode(request, await self.send(model, encode(request)))

    async def send(self, model: str, body: bytes) -> bytes:
        """See `Client.send`."""
        return await self._retrying(self._transport.send, model, body)

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
