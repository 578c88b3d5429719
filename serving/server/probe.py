"""Asks a running server how its models are."""

import json
import re
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from serving.server.archive import Archive
from serving.server.errors import ControlError
from serving.server.ports import HOST, Ports

TIMEOUT_S = 60.0
TRACEBACK = "Traceback (most recent call last):"


def workers_ready(model: str, ports: Ports) -> bool:
    """Whether all workers of the model have loaded it; TorchServe's own /ping says Healthy even when they could not."""
    try:
        status, body = _call(ports.management, "GET", f"/models/{model}")
    except (OSError, HTTPException):
        return False
    if status != 200:
        return False
    workers = json.loads(body)[0]["workers"]
    return bool(workers) and all(worker["status"] == "READY" for worker in workers)


def check_prediction(archive: Archive, ports: Ports) -> None:
    """Send the model a real request.

    Raises:
        ControlError: the answer is anything but 200.
    """
    try:
        status, body = _call(ports.inference, "POST", f"/predictions/{archive.name}", json.dumps(archive.example))
    except (OSError, HTTPException) as error:
        raise ControlError(f"model {archive.name} loaded, but a request to it failed: {error}") from error
    if status != 200:
        raise ControlError(f"model {archive.name} loaded, but answered a request with status {status}: {body[:500]}")


def worker_error(model: str, log: Path) -> str | None:
    """The error that ended a worker of the model; None if none ended.

    The log has a line for each line that a worker prints; the thread's name says whose it is.
    """
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    ours = [text for line in lines if (text := _printed(model, line)) is not None]
    if "Backend worker process died." not in ours:
        return None
    start = len(ours) - ours[::-1].index(TRACEBACK) if TRACEBACK in ours else len(ours)
    return next((text for text in ours[start:] if not text.startswith(" ")), None)  # None too while the log is being written


def _printed(model: str, line: str) -> str | None:
    match = re.search(rf"W-\d+-{re.escape(model)}_[\d.]+-stdout - (.*)", line)
    return match[1] if match else None


def _call(port: int, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    """One request, never through a proxy. Returns the status and the body."""
    connection = HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()
