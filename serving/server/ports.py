"""The ports of a server, on the loopback address but for those that are to be reached from elsewhere."""

import socket
from contextlib import ExitStack
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel

from serving.server.errors import ControlError

HOST = "127.0.0.1"


class Address(NamedTuple):
    """Where to listen; port 0 stands for any free one."""

    host: str = HOST
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read HOST:PORT. Raises ValueError."""
        host, _, port = text.rpartition(":")
        if not host or not 0 <= int(port) < 1 << 16:
            raise ValueError(text)
        return cls(host, int(port))


class Ports(BaseModel):
    """Where the server listens. Clients have `proxy` where there is one, and else `inference`."""

    inference: int
    management: int
    metrics: int
    grpc_inference: int
    grpc_management: int
    exporter: int
    proxy: int


def choose_ports(port: int, first: Literal["inference", "proxy"], exporter: int = 0) -> Ports:
    """Choose all ports.

    Args:
        port: for `first`; 0 takes any free one.
        first: what clients ask.
        exporter: for the exporter; 0 leaves it among the others, each of which gets the next number, or any free one if that is
            taken.

    Raises:
        ControlError: a port that was asked for is in use.
    """
    with ExitStack() as held:  # all are held until the last is chosen, or one could be chosen twice
        chosen: dict[str, int] = {first: _must_hold(port, "--port", held)}
        if exporter:
            chosen["exporter"] = _must_hold(exporter, "--exporter", held)
        others = [name for name in Ports.model_fields if name not in chosen]
        numbers = {name: _hold(chosen[first] + i, held) or _hold(0, held) for i, name in enumerate(others, 1)}
        return Ports.model_validate({**chosen, **numbers})


def _must_hold(port: int, option: str, held: ExitStack) -> int:
    number = _hold(port, held)
    if number is None:
        raise ControlError(f"port {port} is in use; stop what listens there, or choose another with {option}")
    return number


def _hold(port: int, held: ExitStack) -> int | None:
    """Bind the port until `held` closes and return its number; None if it cannot be had."""
    listener = held.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port whose last connection has just closed counts as free
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError):
        return None
    return int(listener.getsockname()[1])
