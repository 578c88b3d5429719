"""Starts TorchServe: the settings it reads, the environment it and its workers get, the command line."""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from serving.server.archive import Archive
from serving.server.errors import ControlError
from serving.server.instance import EXPORTER, MARK, Instance
from serving.server.java import find_java_home
from serving.server.ports import HOST, Ports

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
# Everything above listens on the loopback address only, and wants a key even there: it is not this user's alone. The keys are
# drawn anew at each start, and live as long as the server.
token_expiration_min={key_minutes}
# Models are registered by whoever holds the management key, and come from the store alone, never from a URL that a request names.
enable_model_api=true
allowed_urls=none
load_models={models}
# How many workers a model gets, and how it batches, stands in the model-config.yaml of its archive.
default_workers_per_model=1
number_of_gpu=0
vmargs=-Xmx512m -XX:+ExitOnOutOfMemoryError
# A short queue: a client learns at once (503) that the server is overloaded.
job_queue_size=64
# bytes; far more than the longest input that any model accepts
max_request_size=1048576
metrics_mode=prometheus
disable_system_metrics=true
"""


def launch(instance: Instance, archives: Sequence[Archive], ports: Ports) -> None:
    """Start TorchServe in the background, on archives of the instance's store. It is not ready yet when this returns.

    Raises:
        ControlError: TorchServe or a Java for it is missing, or its launcher failed.
    """
    if find_spec("ts") is None:
        raise ControlError("TorchServe is not installed; run `pip install 'seqline[serve]'`")
    models = ",".join(f"{a.name}={a.path.name}" for a in archives)
    instance.properties.write_text(
        PROPERTIES.format(host=HOST, ports=ports, models=models, key_minutes=KEY_MINUTES), encoding="utf-8"
    )
    command = [sys.executable, "-m", "ts.model_server", "--start", "--no-config-snapshots"]
    command += ["--ts-config", str(instance.properties), "--model-store", str(instance.store), "--log-config", str(LOG_CONFIG)]
    with (instance.logs / "java.log").open("wb") as log:
        # A session of its own: an interrupt from the terminal is for `up`, which then stops the server in order.
        launcher = subprocess.run(  # noqa: S603
            command,
            cwd=instance.folder,
            env=_environment(instance),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
        )
    if launcher.returncode:
        raise ControlError(f"TorchServe could not be launched: {last_lines(instance)}")


def launch_exporter(instance: Instance, address: str, port: int) -> None:
    """Start what answers Prometheus for all workers, at an address and port."""
    command = [sys.executable, "-m", EXPORTER, str(instance.counts), address, str(port)]
    with (instance.logs / "exporter.log").open("wb") as log:
        subprocess.Popen(  # noqa: S603
            command, env=_environment(instance), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def last_lines(instance: Instance, count: int = 5) -> str:
    """The end of the server's own logs, for an error message."""
    lines: list[str] = []
    for name in ("server.log", "java.log"):
        log = instance.logs / name
        lines += log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:] if log.is_file() else []
    return "\n".join(["", *lines]) if lines else "its logs are empty"


def _environment(instance: Instance) -> dict[str, str]:
    """The caller's environment, but every place where TorchServe writes is the instance's own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TS_")}  # they would outrank ours
    return environment | {
        MARK: str(instance.folder),
        "JAVA_HOME": str(find_java_home()),
        "TMPDIR": str(instance.tmp),  # the launcher's pid file
        "TEMP": str(instance.tmp),  # Java's: unpacked models and the workers' sockets
        "LOG_LOCATION": str(instance.logs),
        "METRICS_LOCATION": str(instance.logs),
        "PROMETHEUS_MULTIPROC_DIR": str(instance.counts),
        "OMP_NUM_THREADS": "1",  # workers are how we use more cores; threads within them only fight over the cores
    }
