"""A proxy in front of a server whose versions misbehave on request."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import requests

from benchmarks.load.target import Target
from serving.server.instance import Instance, Served, State, Trial
from serving.server.keys import TorchServeKeys
from serving.server.ports import choose_ports
from serving.server.proxy import Front, Limits, Proxy

HANG_S = 30.0
TIMEOUT_S = 4  # the proxy waits half as long for a challenger
# Version of a challenger -> status of its answers. TorchServe's own answers have no version.
FAILING = {"1-dead": 500, "1-model": 500, "1-late": 504, "1-full": 503, "1-lost": 507, "1-gone": 404, "1-drop": 0, "1-hang": 0}
OWN = {"1-model", "1-late", "1-refuse"}


@dataclass
class Seen:
    """A request that reached the server behind the proxy."""

    model: str
    version: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Behind:
    """A server that answers like TorchServe, with the version as text; what it has seen."""

    seen: list[Seen] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def of(self, model: str) -> list[Seen]:
        return [one for one in self.seen if one.model == model]


def handler(behind: Behind) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            _, _, model, *rest = self.path.split("/")
            version = rest[0] if rest else ""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            behind.seen.append(Seen(model, version, dict(self.headers), body))
            if version == "1-hang":
                behind.ended.wait(HANG_S)
            if version in ("1-hang", "1-drop"):
                self.close_connection = True
                return
            status = 400 if version == "1-refuse" else FAILING.get(version, 200)
            self.send_response(status)
            if status == 200 or version in OWN:
                self.send_header("X-Model-Version", version or "champion")
            said = json.dumps({"version": version or "champion"}).encode()
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class Split(Target):
    """The proxy, whose splits a test may change."""

    def to(self, **trials: Trial) -> None:
        Proxy(Instance(self.folder)).split(trials)

    def log(self) -> list[dict[str, Any]]:
        lines = (self.folder / "logs/trials.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


@contextmanager
def started(folder: Path, inference: int, limits: Limits) -> Iterator[Split]:
    """A proxy with its files in a folder."""
    instance = Instance(folder)
    instance.folder.mkdir()
    instance.prepare()
    ports = choose_ports(0).model_copy(update={"inference": inference})
    proxy = Proxy(instance)
    try:
        proxy.start(
            Front(limits=limits), ports, TorchServeKeys(management="m", inference="i"), "http://127.0.0.1:1/metrics", TIMEOUT_S
        )
        with pytest.MonkeyPatch.context() as patch:
            models = {"m": Served(version="1-champion")}
            patch.setattr(Target, "state", State(ports=ports, proxied=True, records=instance.records, models=models))
            yield Split(instance.folder)
    finally:
        proxy.drain(0)


def trial(kind: Any, version: str, share: float = 1.0) -> Trial:
    return Trial(kind=kind, version=version, share=share, since=0)


def said(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["version"]
