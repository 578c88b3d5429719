"""Closed-loop clients that send requests while a fault is injected into the server."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import requests

from benchmarks.load.target import Target


class Clients:
    """Send requests for the duration of the block, each over a new connection.

    The proxy may close keep-alive connections when its settings change. A client then has to retry, which is no server failure.
    New connections avoid this.

    Args:
        target: the server.
        model: the model to request.
        body: body of every request.
        count: number of clients.

    Attributes:
        answered: number of requests with status 200.
        failed: status and body, or the error, of every other request.
    """

    def __init__(self, target: Target, model: str, body: bytes, count: int = 4) -> None:
        self._target, self._model, self._body, self._count = target, model, body, count
        self.answered, self.failed = 0, list[str]()

    def __enter__(self) -> Self:
        self._over, self._lock = threading.Event(), threading.Lock()
        self._pool = ThreadPoolExecutor(self._count)
        self._asking = [self._pool.submit(self._ask) for _ in range(self._count)]
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._over.set()
        self._pool.shutdown()
        for client in self._asking:
            client.result()  # raises the client's own errors, which are not server failures
        for fault in self.failed:
            sys.stderr.write(f"failed: {fault}\n")

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
