"""Time and memory of the default profile: `python -m benchmarks.pipeline [repro] [test]`, without arguments both.

- repro: `make repro` in a fresh clone, installation and downloads included, with each stage's share of it; and again with
  nothing changed.
- test: `make test` in a fresh clone, installation included.

Each part clones the commit that is checked out: uncommitted changes are not measured. pip's cache is not used.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.parts import run_parts
from pipelines.record import Figures

PACKAGES = ("dvc", "lightning-fabric", "mlflow", "onnxruntime", "torch", "torchserve")
SAMPLE_S = 0.2  # between two looks at the memory
MIB = 2**20
STAGE = re.compile(r"Running stage '([^']+)'")


@dataclass
class Cost:
    """What a command or a part of it took.

    Attributes:
        seconds: wall-clock time.
        peak_mib: largest sum of the resident memory of the command and all its children, shared pages counted in each.
    """

    seconds: float = 0.0
    peak_mib: float = 0.0


def measure(command: Sequence[str], folder: Path) -> dict[str, Cost]:
    """Run a command in a folder.

    Returns:
        the whole command's cost under "", and that of each stage which DVC ran in it under the stage's name.

    Raises:
        CalledProcessError: it failed.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PIP_NO_CACHE_DIR": "1", "PATH": path}
    costs, running, last = {"": Cost()}, [""], time.monotonic()
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        watcher = threading.Thread(target=_watch, args=(process.stdout, running))
        watcher.start()
        while process.poll() is None:
            time.sleep(SAMPLE_S)
            now, memory = time.monotonic(), resident(process.pid) / MIB
            for name in {"", running[-1]}:
                cost = costs.setdefault(name, Cost())
                cost.seconds += now - last
                cost.peak_mib = max(cost.peak_mib, memory)
            last = now
        watcher.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return costs


def _watch(output: Iterable[str], running: list[str]) -> None:
    """Pass a command's output on, and note each stage that DVC says it runs; after the last one, the README is written."""
    for line in output:
        sys.stdout.write(line)
        if match := STAGE.match(line):
            running.append(match[1])


def resident(pid: int) -> int:
    """Bytes of resident memory of a process and its descendants; 0 if it has ended."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(map(_own_resident, family))


def _own_resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


@contextmanager
def fresh_clone() -> Iterator[Path]:
    """A clone of this repository, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="seqline-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)  # noqa: S603, S607 - the user's own git
        yield clone


def time_repro() -> Figures:
    """Seconds of `make repro`, cold and with nothing to do, and seconds and peak memory of each stage of the first."""
    with fresh_clone() as clone:
        costs = measure(["make", "repro", f"PYTHON={sys.executable}"], clone)
        noop = measure(["make", "repro"], clone)
    figures = {"repro_cold_s": costs.pop("").seconds, "repro_noop_s": noop[""].seconds}
    for stage, cost in costs.items():
        figures |= {f"{stage}_s": cost.seconds, f"{stage}_peak_mib": cost.peak_mib}
    return figures


def time_test() -> Figures:
    """Seconds of `make test`, cold."""
    with fresh_clone() as clone:
        return {"test_cold_s": measure(["make", "test", f"PYTHON={sys.executable}"], clone)[""].seconds}


PARTS: dict[str, Callable[[], Figures]] = {"repro": time_repro, "test": time_test}


if __name__ == "__main__":
    run_parts("pipeline", "Time the pipeline's default profile.", PARTS, PACKAGES)
