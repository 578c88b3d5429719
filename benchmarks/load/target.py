"""A running server from a client's point of view."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import requests

from serving.server.certificate import SELF_SIGNED
from serving.server.control import Server
from serving.server.instance import Instance, State

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Target:
    """A server behind its proxy.

    Attributes:
        folder: the instance folder.
    """

    folder: Path

    @property
    def state(self) -> State:
        """The instance's state: models, ports, processes."""
        return Instance(self.folder).state()

    @property
    def url(self) -> str:
        """The base URL."""
        return Server((), self.state, self.folder).url

    @property
    def certificate(self) -> Path:
        """The proxy's certificate."""
        return self.folder / SELF_SIGNED

    def headers(self) -> dict[str, str]:
        """Return the request headers. The key is read from disk each time, as it may have been rotated."""
        name, _, value = Instance(self.folder).authorization.read_text(encoding="utf-8").strip().partition(": ")
        return {name: value, "Content-Type": "application/json"}

    def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> requests.Response:
        """Send a request over a new connection."""
        sent = self.headers() | (headers or {})
        return requests.request(
            method, f"{self.url}{path}", data=body, headers=sent, verify=str(self.certificate), timeout=TIMEOUT_S
        )

    def ask(self, model: str, body: bytes, headers: dict[str, str] | None = None) -> requests.Response:
        """Request a prediction."""
        return self.request("POST", f"/predictions/{model}", body, headers)

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Return the server of an instance folder."""
        return cls(Instance(folder).folder)
