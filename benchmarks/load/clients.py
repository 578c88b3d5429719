"""Clients that ask one request after the other while something happens to the server."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import requests

from benchmarks.load.target import Target


class Clients:
    """Ask for as long as the block lasts; each request has a connection of its own.

    A connection that is kept may be closed by the proxy when its settings change; who asks over it at that moment has to ask
    again. That is the client's part, and no fault of the server's.

    Args:
        target: the server.
        model: which is asked.
        body: of every request.
        count: of clients.

    Attributes:
        answered: requests with status 200.
        failed: what came of each other request.
    """

    def __init__(self, target: Target, model: str, body: bytes, count: int = 4) -> None:
        self._target, self._model, self._body, self._count = target, model, body, count
        self.answered, self.failed = 0, list[str]()

    def __enter__(self) -> Self:
        self._over, self._lock = threading.Event(), threading.Lock()
        self._pool = ThreadPoolExecutor(self._count)
        for _ in range(self._count):
            self._pool.submit(self._ask)
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._over.set()
        self._pool.shutdown()

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                response = self._target.ask(self._model, self._body)
                fault = "" if response.status_code == requests.codes.ok else f"{response.status_code} {response.text}"
            except requests.RequestException as error:
                fault = str(error)
            with self._lock:
                if fault:
                    self.failed.append(fault)
                else:
                    self.answered += 1
