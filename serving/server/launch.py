"""Starts TorchServe: its settings, the environment of its processes, and the command line."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from serving.records import Keeping
from serving.server.archive import Archive
from serving.server.errors import ControlError
from serving.server.instance import EXPORTER, GATEWAY, MARK, Instance
from serving.server.java import find_java_home
from serving.server.ports import HOST, Address, Ports

LISTEN_S, POLL_S = 30.0, 0.1  # time limit until a process listens, and polling interval
LOG_CONFIG = Path(__file__).with_name("log4j2.xml")

KEY_MINUTES = 10 * 365 * 24 * 60
PROPERTIES = """\
inference_address=http://{host}:{ports.inference}
management_address=http://{host}:{ports.management}
metrics_address=http://{host}:{ports.metrics}
grpc_inference_address={host}
grpc_inference_port={ports.grpc_inference}
grpc_management_address={host}
grpc_management_port={ports.grpc_management}
# Everything above listens on the loopback address only, and requires a key even there, as other users can reach it. New keys are
# created at each start and stay valid while the server runs.
token_expiration_min={key_minutes}
# Registering a model requires the management key. Models come only from the store, never from a URL in a request.
enable_model_api=true
allowed_urls=none
load_models={models}
# The model-config.yaml in a model's archive sets its number of workers and its batching.
default_workers_per_model=1
number_of_gpu=0
vmargs=-Xmx512m -XX:+ExitOnOutOfMemoryError -Dlog4j.configurationFile={log_config}
# A short queue, so that an overloaded server refuses requests at once (503).
job_queue_size=64
# bytes; far more than the longest input that any model accepts
max_request_size=1048576
# The same; the longest answer has the vectors of 64 sentences of 100 words.
max_response_size=67108864
metrics_mode=prometheus
disable_system_metrics=true
"""


def launch(instance: Instance, archives: Sequence[Archive], ports: Ports, keeping: Keeping) -> None:
    """Start TorchServe in the background with archives of the instance's store, without waiting until it is ready.

    Args:
        instance: the instance.
        archives: the models.
        ports: its ports.
        keeping: what its workers record.

    Raises:
        ControlError: TorchServe or Java is missing, or TorchServe's launcher failed.
    """
    if find_spec("ts") is None:
        raise ControlError("TorchServe is not installed; run `pip install 'seqline[serve]'`")
    models = ",".join(f"{a.name}={a.path.name}" for a in archives)
    instance.properties.write_text(
        PROPERTIES.format(host=HOST, ports=ports, models=models, key_minutes=KEY_MINUTES, log_config=LOG_CONFIG.as_uri()),
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "ts.model_server", "--start", "--no-config-snapshots"]
    command += ["--ts-config", str(instance.properties), "--model-store", str(instance.store)]
    with (instance.logs / "java.log").open("wb") as log:
        # In a new session, so that an interrupt from the terminal only reaches `up`, which then stops the server gracefully.
        launcher = subprocess.run(  # noqa: S603
            command,
            cwd=instance.folder,
            env=_environment(instance) | keeping.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
        )
    if launcher.returncode:
        raise ControlError(f"TorchServe could not be launched: {last_lines(instance)}")


@dataclass(frozen=True)
class Helper:
    """A process beside TorchServe: its name in messages, its address, and its log."""

    name: str
    address: Address
    log: Path
    process: "subprocess.Popen[bytes]"

    def check(self) -> None:
        """Wait until it listens. Raises ControlError if it has ended or the time is up."""
        end = time.monotonic() + LISTEN_S
        while self.process.poll() is None and time.monotonic() < end:
            with suppress(OSError), socket.create_connection(self.address, POLL_S):
                return
            time.sleep(POLL_S)
        said = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        where = f"{self.address.host}:{self.address.port}"
        raise ControlError(f"the {self.name} at {where} did not start: {said[-1] if said else 'its log is empty'}")


def launch_exporter(instance: Instance, address: Address) -> Helper:
    """Start the Prometheus exporter of all workers, without waiting until it listens."""
    command = [EXPORTER, str(instance.folder), address.host, str(address.port)]
    return _launch(instance, "exporter", address, command, _environment(instance))


def launch_gateway(instance: Instance, inference: int, port: int, metrics: str, timeout_s: float, keeping: Keeping) -> Helper:
    """Start the gateway, without waiting until it listens.

    Args:
        instance: the instance.
        inference: TorchServe's port for predictions.
        port: its own port.
        metrics: URL of the exporter.
        timeout_s: see `Gateway`.
        keeping: where the records are, and for how long.
    """
    command = [GATEWAY, str(instance.folder), str(inference), metrics, str(port), str(timeout_s)]
    return _launch(instance, "gateway", Address(HOST, port), command, _environment(instance) | keeping.environment)


def _launch(instance: Instance, name: str, address: Address, command: Sequence[str], environment: Mapping[str, str]) -> Helper:
    path = instance.logs / f"{name}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return Helper(name, address, path, process)


def last_lines(instance: Instance, count: int = 5) -> str:
    """The last lines of the server's logs, without the frames of Java's stack traces, for an error message."""
    lines: list[str] = []
    for name in ("server.log", "java.log"):
        log = instance.logs / name
        written = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
        lines += [line for line in written if not line.startswith("\tat ")][-count:]
    return "\n".join(["", *lines]) if lines else "its logs are empty"


def _environment(instance: Instance) -> dict[str, str]:
    """The caller's environment, with all paths that TorchServe writes to inside the instance's folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TS_")}  # they would override ours
    return environment | {
        MARK: str(instance.folder),
        "LC_ALL": "C.UTF-8",  # in an ASCII locale, Java cannot open paths with accents
        "JAVA_HOME": str(find_java_home()),
        "TMPDIR": str(instance.tmp),  # the launcher's pid file
        "TEMP": str(instance.tmp),  # Java's: unpacked models and the workers' sockets
        "LOG_LOCATION": str(instance.logs),
        "METRICS_LOCATION": str(instance.logs),
        "PROMETHEUS_MULTIPROC_DIR": str(instance.counts),
        "OMP_NUM_THREADS": "1",  # there is a worker per core; more threads would only compete for the cores
    }
