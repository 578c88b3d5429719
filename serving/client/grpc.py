"""gRPC to TorchServe. It carries neither HTTP status nor headers, so the body of an answer tells whether it is an error."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import grpc

from serving.client.exchange import Reply, ServingError, checked
from serving.client.messages import PREDICT, STREAM, decode, encode

CODES: Final = {
    grpc.StatusCode.UNAVAILABLE: "unavailable",
    grpc.StatusCode.DEADLINE_EXCEEDED: "deadline_exceeded",
    grpc.StatusCode.UNAUTHENTICATED: "no_key",
    grpc.StatusCode.CANCELLED: "no_key",  # TorchServe's status for a wrong key
    grpc.StatusCode.NOT_FOUND: "not_found",
    grpc.StatusCode.INTERNAL: "internal_error",
}
NO_FEEDBACK: Final = "answers by gRPC take no feedback; ask by REST, at an address that begins with http"


class Grpc:
    """A server's gRPC interface.

    Args:
        target: host and port.
        secure: whether to use TLS.
        key: key of the server.
        timeout_s: time limit for an answer, in seconds.
        certificates: PEM file of trusted certificates, for a server with a self-signed certificate.
    """

    def __init__(self, target: str, key: str, timeout_s: float, certificates: Path | None, *, secure: bool) -> None:
        self._channel = grpc.secure_channel(target, _credentials(certificates)) if secure else grpc.insecure_channel(target)
        self._metadata, self._timeout_s = (("authorization", f"Bearer {key}"),), timeout_s
        self._send = self._channel.unary_unary(PREDICT, encode, decode)
        self._stream = self._channel.unary_stream(STREAM, encode, decode)

    def send(self, model: str, body: bytes) -> Reply:
        """See `serving.client.rest.Rest.send`."""
        try:
            answer: bytes = self._send((model, body), metadata=self._metadata, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise _fault(error) from error
        return Reply(checked(answer))

    def judge(self, _body: bytes) -> bytes:
        """Raise ServingError: answers by gRPC have no id."""
        raise ServingError(0, "not_found", NO_FEEDBACK)

    def stream(self, model: str, body: bytes) -> Iterator[bytes]:
        """See `serving.client.rest.Rest.stream`."""
        try:
            yield from self._stream((model, body), metadata=self._metadata, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise _fault(error) from error

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()


class AsyncGrpc:
    """Asynchronous version of `Grpc`."""

    def __init__(self, target: str, key: str, timeout_s: float, certificates: Path | None, *, secure: bool) -> None:
        self._channel = (
            grpc.aio.secure_channel(target, _credentials(certificates)) if secure else grpc.aio.insecure_channel(target)
        )
        self._metadata, self._timeout_s = (("authorization", f"Bearer {key}"),), timeout_s
        self._send = self._channel.unary_unary(PREDICT, encode, decode)
        self._stream = self._channel.unary_stream(STREAM, encode, decode)

    async def send(self, model: str, body: bytes) -> Reply:
        """See `serving.client.rest.Rest.send`."""
        try:
            answer: bytes = await self._send((model, body), metadata=self._metadata, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise _fault(error) from error
        return Reply(checked(answer))

    async def judge(self, _body: bytes) -> bytes:
        """See `Grpc.judge`."""
        raise ServingError(0, "not_found", NO_FEEDBACK)

    async def stream(self, model: str, body: bytes) -> AsyncIterator[bytes]:
        """See `serving.client.rest.Rest.stream`."""
        try:
            async for part in self._stream((model, body), metadata=self._metadata, timeout=self._timeout_s):
                yield part
        except grpc.RpcError as error:
            raise _fault(error) from error

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()


def _credentials(certificates: Path | None) -> Any:
    return grpc.ssl_channel_credentials(None if certificates is None else certificates.read_bytes())


def _fault(error: Any) -> ServingError:
    return ServingError(0, CODES.get(error.code(), "unknown"), str(error.details()))
