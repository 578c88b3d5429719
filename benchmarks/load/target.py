"""A running server, as a client of it sees it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import requests

from serving.control import Server
from serving.server.instance import Instance, State
from serving.server.proxy import CERTIFICATE

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Target:
    """A server behind its proxy.

    Attributes:
        folder: the instance's.
    """

    folder: Path

    @property
    def state(self) -> State:
        """What runs where."""
        return Instance(self.folder).state()

    @property
    def url(self) -> str:
        """What paths are appended to."""
        return Server((), self.state, self.folder).url

    @property
    def certificate(self) -> Path:
        """The proxy's own."""
        return self.folder / CERTIFICATE

    def headers(self) -> dict[str, str]:
        """Those that a request needs; the key is read anew each time, as it may have changed."""
        name, _, value = Instance(self.folder).authorization.read_text(encoding="utf-8").strip().partition(": ")
        return {name: value, "Content-Type": "application/json"}

    def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> requests.Response:
        """Send a request over a connection of its own."""
        sent = self.headers() | (headers or {})
        return requests.request(
            method, f"{self.url}{path}", data=body, headers=sent, verify=str(self.certificate), timeout=TIMEOUT_S
        )

    def ask(self, model: str, body: bytes, headers: dict[str, str] | None = None) -> requests.Response:
        """Ask for a prediction."""
        return self.request("POST", f"/predictions/{model}", body, headers)

    @classmethod
    def of(cls, folder: Path) -> Self:
        """The server of an instance's folder."""
        return cls(Instance(folder).folder)
