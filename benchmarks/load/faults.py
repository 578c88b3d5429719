"""Fault injection under load: killed workers, deployments and key rotations."""

import os
import signal
import time
from pathlib import Path
from typing import Final

import requests

from benchmarks.load.clients import Clients
from benchmarks.load.target import TIMEOUT_S, Target
from pipelines.report.record import Figures
from serving.server import control
from serving.server.instance import Instance
from serving.server.keys import TorchServeKeys
from serving.server.ports import HOST

GAP_S: Final = 1.0  # between one fault and the next
POLL_S: Final = 0.02


def kills(target: Target, model: str, body: bytes, count: int) -> Figures:
    """Kill the model's worker repeatedly under load.

    Returns:
        The numbers of failed and answered requests, and the longest time until the replacement of a killed worker answered.
        A request that was waiting in a batch when the worker died is only retried after its timeout, and takes longer than that.
    """
    longest = 0.0
    with Clients(target, model, body) as clients:
        for _ in range(count):
            time.sleep(GAP_S)
            kill_worker(target, model)
            started = time.monotonic()
            time.sleep(POLL_S)  # so that the answer cannot come from the killed worker
            target.ask(model, body).raise_for_status()
            longest = max(longest, time.monotonic() - started)
    return {"kill_failed": len(clients.failed), "kill_answered": clients.answered, "kill_recovery_s": longest}


def deployments(target: Target, model: str, body: bytes, archive: Path) -> Figures:
    """Deploy another version under load, then roll back."""
    with Clients(target, model, body) as clients:
        control.deploy(archive, target.folder)
        time.sleep(GAP_S)
        control.rollback(model, target.folder)
        time.sleep(GAP_S)
    return {"deploy_failed": len(clients.failed), "deploy_answered": clients.answered}


def rotations(target: Target, model: str, body: bytes, count: int) -> Figures:
    """Rotate the key repeatedly under load; clients read the key for each request."""
    with Clients(target, model, body) as clients:
        for _ in range(count):
            control.rotate(target.folder)
            time.sleep(GAP_S)
    return {"rotation_failed": len(clients.failed), "rotation_answered": clients.answered}


def kill_worker(target: Target, model: str) -> None:
    """Kill a model's worker process with SIGKILL."""
    os.kill(worker(target, model), signal.SIGKILL)


def worker(target: Target, model: str) -> int:
    """Return the process id of a model's worker."""
    keys = TorchServeKeys.read(Instance(target.folder).keys)
    url = f"http://{HOST}:{target.state.ports.management}/models/{model}"
    described = requests.get(url, headers={"Authorization": f"Bearer {keys.management}"}, timeout=TIMEOUT_S).json()
    return int(described[0]["workers"][0]["pid"])
