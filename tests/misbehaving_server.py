"""A real HTTP server on this machine that supports Range requests and injects faults."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by path, and records the requested ranges and the number of bytes sent.

    Each of `faults` applies to one request, in order: a status to answer with, ("cut", n) to drop the connection after n
    bytes, or ("stall", n) to hold it open without sending more. When none are left, requests are answered correctly.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.faults: list[int | tuple[str, int]] = []
        self.knows_ranges = True
        self.closing = threading.Event()
        self.asked: list[str | None] = []
        self.sent = 0


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server in the background until the block ends."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.headers["Range"])
        fault = self.server.faults.pop(0) if self.server.faults else None
        content = self.server.files.get(self.path)
        if isinstance(fault, int) or content is None:
            self.send_error(fault if isinstance(fault, int) else 404)
        else:
            self._answer(content, fault or ("cut", len(content)))

    def _answer(self, content: bytes, fault: tuple[str, int]) -> None:
        asked = self.headers["Range"] if self.server.knows_ranges else None
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        part = content[start:][: fault[1]]
        self.server.sent += len(part)  # before the client has it: afterwards the test looks, or the next request counts
        self.wfile.write(part)
        if fault[0] == "stall":
            self.server.closing.wait()
        return None

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""
