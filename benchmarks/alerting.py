"""Prometheus and Alertmanager with the project's alerts, on this machine."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from serving.server.ports import free_port

ALERTMANAGERS: Final = ("alertmanager", "prometheus-alertmanager")  # Debian's name is the longer one


@contextmanager
def alerting(clone: Path, exporter: int, port: int) -> Iterator[None]:
    """Run Prometheus with the project's alerts, without their delays, and Alertmanager, which notifies a port.

    Args:
        clone: of the project; the files of both are in its folder `alerting`.
        exporter: port of the server's metrics.
        port: of the receiver of notifications.
    """
    folder = clone / "alerting"
    folder.mkdir()
    manager = free_port()
    rules = yaml.safe_load((clone / "docker/prometheus/alerts.yml").read_text(encoding="utf-8"))
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        rule["for"] = "0s"
    jobs = [{"job_name": "serve", "static_configs": [{"targets": [f"127.0.0.1:{exporter}"]}]}]
    settings: dict[str, Any] = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "scrape_configs": jobs}
    settings |= {"rule_files": [str(folder / "alerts.yml")]}
    settings |= {"alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{manager}"]}]}]}}
    route = {"receiver": "watch", "group_by": ["model"], "group_wait": "1s", "group_interval": "5s", "repeat_interval": "20s"}
    receivers = [{"name": "watch", "webhook_configs": [{"url": f"http://127.0.0.1:{port}/alerts"}]}]
    for name, content in (
        ("alerts.yml", rules),
        ("prometheus.yml", settings),
        ("alertmanager.yml", {"route": route, "receivers": receivers}),
    ):
        (folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    prometheus = [_tool(("prometheus",)), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    alertmanager = [_tool(ALERTMANAGERS), f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alerts"]
    commands = [
        [*prometheus, f"--web.listen-address=127.0.0.1:{free_port()}"],
        [*alertmanager, f"--web.listen-address=127.0.0.1:{manager}", "--cluster.listen-address="],
    ]
    with (folder / "log").open("w") as log:
        processes = [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]  # noqa: S603
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def has_tools() -> bool:
    """Whether Prometheus, Alertmanager and nginx are installed."""
    return all(any(map(shutil.which, names)) for names in (("prometheus",), ALERTMANAGERS, ("nginx", "/usr/sbin/nginx")))


def _tool(names: Sequence[str]) -> str:
    return next(path for name in names if (path := shutil.which(name)))
