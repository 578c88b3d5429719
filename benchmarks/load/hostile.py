"""Latency of a client while a hostile client sends large invalid requests."""

import itertools
import json
import threading
import time
from typing import Final

from benchmarks.load.target import Target
from benchmarks.load.traffic import percentile
from pipelines.report.record import Figures

LARGEST: Final = 255_000  # bytes: just below the proxy's limit
SECONDS: Final = 20.0  # for each model
PARTS: Final = (
    "e\u0316\u0301",
    "\u0316\u0301",
    "e",
    "a. ",
    '"',
    "&",
    "<",
    "\u00ab ",
    "\n",
    "1. ",
    "\ufffd",
    "\U0001f600",
    "A.B.",
)


def hostile_bodies() -> list[bytes]:
    """Return expensive bodies: long texts of costly characters, lists of texts, objects with many keys, deep nesting."""
    texts = [part * (LARGEST // len(part.encode())) for part in PARTS]
    bodies = [json.dumps({"inputs": text}, ensure_ascii=False).encode()[: LARGEST + 50] for text in texts]
    bodies += [json.dumps({"inputs": text[:16_000]}, ensure_ascii=False).encode() for text in texts]
    bodies += [json.dumps({"inputs": [text[:1000]] * 64}, ensure_ascii=False).encode()[:LARGEST] for text in texts]
    keys = "".join(f'"{i:x}":1,' for i in range(LARGEST // 10))
    return [*bodies, f'{{{keys}"0":1}}'.encode(), b"[" * LARGEST, b'{"inputs":' * (LARGEST // 10), b"1" * LARGEST]


def waits(target: Target, neighbours: dict[str, bytes]) -> Figures:
    """Measure the p99 latency of a client while another one sends requests that the server rejects, one at a time.

    Args:
        target: the server.
        neighbours: model -> body of the client's requests.

    Returns:
        p99 latency in milliseconds for each model, and the highest of them.
    """
    worst: Figures = {}
    for model, body in neighbours.items():
        refused = [sent for sent in hostile_bodies() if target.ask(model, sent).status_code in (400, 413)]
        over = threading.Event()
        thread = threading.Thread(target=_harass, args=(target, model, refused, over))
        thread.start()
        took = _asked(target, model, body)
        over.set()
        thread.join()
        worst[f"hostile_wait_{model}_ms"] = percentile(sorted(took), 0.99)
    return worst | {"hostile_wait_ms": max(worst.values())}


def _harass(target: Target, model: str, bodies: list[bytes], over: threading.Event) -> None:
    for body in itertools.cycle(bodies):
        if over.is_set():
            return
        target.ask(model, body)


def _asked(target: Target, model: str, body: bytes) -> list[float]:
    took, end = list[float](), time.monotonic() + SECONDS
    while time.monotonic() < end:
        started = time.perf_counter()
        target.ask(model, body).raise_for_status()
        took.append(1000 * (time.perf_counter() - started))
    return took
