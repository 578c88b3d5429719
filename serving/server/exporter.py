"""Exports the metrics of all workers to Prometheus: `python -m serving.server.exporter FOLDER ADDRESS PORT`."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from serving.server.instance import Instance


class Workers(Collector):
    """The metrics of an instance's workers, also of those that have ended.

    Counters must never fall. A gauge, however, keeps its last value when its version gets no more requests, so the drift of a
    version that was replaced would be exported, and its alert would fire, for as long as the server runs.

    Args:
        instance: the instance.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._files = MultiProcessCollector(None, str(instance.counts))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        """All metrics; gauges only of the versions that answer requests or are on trial."""
        state = self._instance.noted()
        used = state.versions if state else set()
        for metric in self._files.collect():  # type: ignore[no-untyped-call]
            if metric.type == "gauge":
                metric.samples = [one for one in metric.samples if (one.labels["model"], one.labels["version"]) in used]
            yield metric


def main(folder: str, address: str, port: int) -> None:
    """Serve the aggregated metrics of the workers of the instance in `folder` until the process ends."""
    registry = CollectorRegistry()
    registry.register(Workers(Instance(Path(folder))))
    start_http_server(port, address, registry)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
