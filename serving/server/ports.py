"""The ports of a server, all on the loopback address."""

import socket
from contextlib import ExitStack
from typing import Literal

from pydantic import BaseModel

from serving.server.errors import ControlError

HOST = "127.0.0.1"


class Ports(BaseModel):
    """Where the server listens. Clients have `proxy` where there is one, and else `inference`."""

    inference: int
    management: int
    metrics: int
    grpc_inference: int
    grpc_management: int
    exporter: int
    proxy: int


def choose_ports(port: int, first: Literal["inference", "proxy"]) -> Ports:
    """The given port (0: any free one) for `first`; for each of the others the next number, or any free one if that is taken.

    Raises:
        ControlError: the port for requests is in use.
    """
    with ExitStack() as held:  # all are held until the last is chosen, or one could be chosen twice
        chosen = _hold(port, held)
        if chosen is None:
            raise ControlError(f"port {port} is in use; stop what listens there, or choose another with --port")
        others = [name for name in Ports.model_fields if name != first]
        numbers = {name: _hold(chosen + i, held) or _hold(0, held) for i, name in enumerate(others, 1)}
        return Ports.model_validate({first: chosen, **numbers})


def _hold(port: int, held: ExitStack) -> int | None:
    """Bind the port until `held` closes and return its number; None if it cannot be had."""
    listener = held.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port whose last connection has just closed counts as free
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError):
        return None
    return int(listener.getsockname()[1])
