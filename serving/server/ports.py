"""The ports of a server, all on the loopback address."""

import socket
from contextlib import ExitStack

from pydantic import BaseModel

from serving.server.errors import ControlError

HOST = "127.0.0.1"


class Ports(BaseModel):
    """Where the server listens. Only `inference` is meant for clients."""

    inference: int
    management: int
    metrics: int
    grpc_inference: int
    grpc_management: int


def choose_ports(inference: int) -> Ports:
    """The given port for requests (0: any free one); for each of the others the next number, or any free one if that is taken.

    Raises:
        ControlError: the port for requests is in use.
    """
    with ExitStack() as held:  # all are held until the last is chosen, or one could be chosen twice
        first = _hold(inference, held)
        if first is None:
            raise ControlError(f"port {inference} is in use; stop what listens there, or choose another with --port")
        others = [_hold(first + i, held) or _hold(0, held) for i in range(1, len(Ports.model_fields))]
        return Ports.model_validate(dict(zip(Ports.model_fields, [first, *others], strict=True)))


def _hold(port: int, held: ExitStack) -> int | None:
    """Bind the port until `held` closes and return its number; None if it cannot be had."""
    listener = held.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port whose last connection has just closed counts as free
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError):
        return None
    return int(listener.getsockname()[1])
