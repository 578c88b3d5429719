"""Soak test with sustained load, and overload test."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from statistics import fmean
from typing import Final

import psutil

from benchmarks.load.target import Target
from benchmarks.load.traffic import Kind, Plan, Seen, percentile, send
from pipelines.report.record import Figures
from serving.server.instance import Instance
from serving.server.proxy import Proxy

MIB: Final = 2**20
SAMPLE_S: Final = 2.0
SHARE: Final = 0.7  # soak load, as a share of the server's capacity
TIMES: Final = 3  # overload, as a multiple of the capacity
WARM_UP_S: Final = 60.0  # memory should not grow after this
CALIBRATE_S: Final = 15.0
CLIENTS: Final = 16


def soak(target: Target, kinds: dict[str, Kind], seconds: float) -> Figures:
    """Send mixed traffic at 70 % of the server's capacity.

    Returns:
        The request rate; the number of failed and refused requests; the p99/p50 latency ratio of the worst model and of all
        requests together; the relative memory growth after the first minute (after half the time in runs shorter than two).
    """
    capacity = _rate(send(_plan(target, kinds, CALIBRATE_S)).values(), CALIBRATE_S)
    with _memory(target) as samples:
        seen = send(_plan(target, kinds, seconds, rate=SHARE * capacity))
    all_answered = sorted(took for model in seen.values() for took in model.answered)
    settled = [size for at, size in samples if at > min(WARM_UP_S, seconds / 2)]
    third = max(1, len(settled) // 3)
    figures = {
        "soak_requests_s": SHARE * capacity,
        "soak_seconds": seconds,
        "soak_5xx": sum(len(model.failed) + len(model.refused) for model in seen.values()),
        "soak_p99_over_p50": max(_spread(model.answered) for model in seen.values()),
        "soak_p99_over_p50_all": _spread(all_answered),
        "soak_memory_growth": fmean(settled[-third:]) / fmean(settled[:third]) - 1,
    }
    for name, model in seen.items():
        figures |= {
            f"soak_{name}_p50_ms": percentile(model.answered, 0.5),
            f"soak_{name}_p99_ms": percentile(model.answered, 0.99),
        }
    return figures


def overload(target: Target, model: str, bodies: list[str], seconds: float) -> Figures:
    """Send a model three times the load that it can handle.

    Returns:
        The p99 latency of the rejections in milliseconds; the p99 latency of the answers relative to that at capacity; the rates
        of requests sent and answered; the number of failures.
    """
    kinds = {model: Kind(weight=1, bodies=bodies)}
    busy = send(_plan(target, kinds, seconds))[model]
    capacity = _rate([busy], seconds)
    over = send(_plan(target, kinds, seconds, rate=TIMES * capacity, users=4 * CLIENTS))[model]
    return {
        "overload_capacity": capacity,
        "overload_sent": (len(over.answered) + len(over.refused) + len(over.failed)) / seconds,
        "overload_answered": _rate([over], seconds),
        "overload_reject_ms": percentile(over.refused, 0.99),
        "overload_p99_ratio": percentile(over.answered, 0.99) / percentile(busy.answered, 0.99),
        "overload_failed": len(over.failed) + over.without_advice,
    }


def processes(target: Target) -> list[psutil.Process]:
    """Return all processes of a server: Java, workers, exporter, proxy."""
    instance = Instance(target.folder)
    return [*instance.processes(), *Proxy(instance).processes()]


def resident_mib(found: Iterable[psutil.Process]) -> float:
    """Return the sum of the processes' resident memory. Shared pages count once per process."""
    return sum(process.memory_info().rss for process in found if process.is_running()) / MIB


@contextmanager
def _memory(target: Target) -> Iterator[list[tuple[float, float]]]:
    """Sample (seconds, MiB) of the server for the duration of the block."""
    samples: list[tuple[float, float]] = []
    over, started, found = threading.Event(), time.monotonic(), processes(target)

    def sample() -> None:
        while not over.wait(SAMPLE_S):
            samples.append((time.monotonic() - started, resident_mib(found)))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def _plan(target: Target, kinds: dict[str, Kind], seconds: float, rate: float = 0, users: int = CLIENTS) -> Plan:
    return Plan(url=target.url, headers=target.headers(), kinds=kinds, users=users, seconds=seconds, rate=rate)


def _rate(seen: Iterable[Seen], seconds: float) -> float:
    return sum(len(model.answered) for model in seen) / seconds


def _spread(milliseconds: list[float]) -> float:
    return percentile(milliseconds, 0.99) / percentile(milliseconds, 0.5)
