"""The ports of a server, on the loopback address except for those that are to be reached from other machines."""

import errno
import socket
from contextlib import ExitStack
from random import SystemRandom
from typing import NamedTuple, Self

from pydantic import BaseModel

from serving.server.errors import ControlError

HOST = "127.0.0.1"
UNASSIGNED = range(20_000, 32_000)


class Address(NamedTuple):
    """Where to listen; port 0 chooses a free one."""

    host: str = HOST
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse HOST:PORT. Raises ValueError if it is invalid."""
        host, _, port = text.rpartition(":")
        if not host or not 0 <= int(port) < 1 << 16:
            raise ValueError(text)
        return cls(host, int(port))


LOCAL = Address()


class Ports(BaseModel):
    """The ports of a server. Clients use `front`, which is the proxy's, or without a proxy the gateway's.

    With a proxy, the gateway has the port `gateway`.
    """

    front: int
    inference: int
    management: int
    metrics: int
    grpc_inference: int
    grpc_management: int
    exporter: int
    gateway: int


def choose_ports(port: int, listen: str = HOST, exporter: Address = LOCAL) -> Ports:
    """Choose all ports.

    Args:
        port: port for clients; 0 chooses a free one.
        listen: address to listen on for clients.
        exporter: address of the exporter; with port 0, it is chosen like the others. Each of these gets the next number, or
            any free one if that is taken.

    Raises:
        ControlError: a requested address is not available; the message says why.
    """
    with ExitStack() as held:  # all stay bound until the last is chosen, so that none is chosen twice
        chosen: dict[str, int] = {"front": _must_hold(Address(listen, port), "--listen" if listen != HOST else "--port", held)}
        if exporter != LOCAL:
            chosen["exporter"] = _must_hold(exporter, "--exporter", held)
        others = [name for name in Ports.model_fields if name not in chosen]
        numbers = {name: _hold_near(chosen["front"] + i, held) for i, name in enumerate(others, 1)}
        return Ports.model_validate({**chosen, **numbers})


def free_port(host: str = HOST) -> int:
    """A port that is free now, and will hardly be taken before a server listens there.

    Linux and macOS, unless they are told otherwise, take no ports of this range for connections or for programs to which any
    port is good.

    Raises:
        OSError: the host is no address of this machine, or there is no such port.
    """
    for port in SystemRandom().sample(UNASSIGNED, 100):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # allow ports with connections in TIME_WAIT
            try:
                listener.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return port
    raise OSError(errno.EADDRINUSE, "a hundred ports are in use")


def _must_hold(address: Address, option: str, held: ExitStack) -> int:
    try:
        return _hold(address, held)
    except OverflowError as error:
        raise ControlError(f"{option}: {address.port} is not a valid port; use 1 to 65535, or 0 to choose a free one") from error
    except socket.gaierror as error:
        raise ControlError(f"{option}: {address.host} is not a valid address: {error.strerror}") from error
    except OSError as error:
        why = {
            errno.EADDRINUSE: f"port {address.port} is in use; stop the program that uses it, or choose another with {option}",
            errno.EACCES: f"{option}: this user may not listen on port {address.port}; choose 1024 or higher",
            errno.EADDRNOTAVAIL: f"{option}: {address.host} is not an address of this machine",
        }
        raise ControlError(why.get(error.errno or 0, f"{option}: {address.host}:{address.port}: {error.strerror}")) from error


def _hold_near(port: int, held: ExitStack) -> int:
    """Bind the port, or any free one if it is not available."""
    try:
        return _hold(Address(HOST, port), held)
    except (OSError, OverflowError):
        return _hold(LOCAL, held)


def _hold(address: Address, held: ExitStack) -> int:
    """Take the port until `held` closes and return its number. Raises OSError or OverflowError if it is not available."""
    listener = held.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # allow ports with connections in TIME_WAIT
    listener.bind((address.host, address.port or free_port(address.host)))
    listener.listen()  # otherwise, the option would allow a second one
    return int(listener.getsockname()[1])
