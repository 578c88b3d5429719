"""Exports the metrics of all workers to Prometheus: `python -m serving.server.exporter FOLDER ADDRESS PORT`."""

import sys
import threading

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector


def main(folder: str, address: str, port: int) -> None:
    """Serve the aggregated metrics of the workers in `folder` until the process ends."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    start_http_server(port, address, registry)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
