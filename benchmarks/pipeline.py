"""Time and memory of the default profile: `python -m benchmarks.pipeline [repro] [test]`, both parts by default.

- repro: `make repro` in a fresh clone, including installation and downloads, with the duration of each stage (stages run in
  parallel); then `make repro` again with nothing changed.
- test: `make test-fast` and `make test` in a fresh clone, after the installation.

Each part clones the checked-out commit: uncommitted changes are not measured. pip's cache is not used.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.parts import run_parts
from benchmarks.timing import SUFFIX
from pipelines.report.record import Figures

PACKAGES = ("dvc", "lightning-fabric", "mlflow", "onnxruntime", "torch", "torchserve")
ENVIRONMENTS = (".venv/.installed-dev", ".venv-open-inference/.installed")  # targets of the Makefile
SAMPLE_S = 0.2  # between two memory samples
MIB = 2**20
STAGE = re.compile(r"(\S+) \| done, after (\d+) s")


@dataclass
class Cost:
    """Time and memory of a command.

    Attributes:
        seconds: wall-clock time.
        peak_mib: peak resident memory of the command and all its children; shared pages count once per process.
        stages: wall-clock seconds of each stage; other stages ran at the same time.
        trainings: like `peak_mib`, for each training alone.
    """

    seconds: float = 0.0
    peak_mib: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    trainings: dict[str, float] = field(default_factory=dict)


def measure(command: Sequence[str], folder: Path) -> Cost:
    """Run a command in a folder and measure it.

    Raises:
        CalledProcessError: the command failed.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PIP_NO_CACHE_DIR": "1", "PATH": path}
    cost, start = Cost(), time.monotonic()
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        watcher = threading.Thread(target=_watch, args=(process.stdout, cost.stages))
        watcher.start()
        while process.poll() is None:
            time.sleep(SAMPLE_S)
            cost.peak_mib = max(cost.peak_mib, resident(process.pid) / MIB)
            for task, pid in trainings(process.pid):
                cost.trainings[task] = max(cost.trainings.get(task, 0.0), resident(pid) / MIB)
        watcher.join()
    cost.seconds = time.monotonic() - start
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return cost


def _watch(output: Iterable[str], stages: dict[str, float]) -> None:
    """Forward a command's output, and record the duration of each stage."""
    for line in output:
        sys.stdout.write(line)
        if match := STAGE.match(line):
            stages[match[1]] = float(match[2])


def trainings(pid: int) -> Iterator[tuple[str, int]]:
    """Yield the task and process id of each `train` stage that runs below a process."""
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            match child.cmdline():
                case [_, "-m", "pipelines.stages.train", task]:
                    yield task, child.pid


def resident(pid: int) -> int:
    """Return the resident memory of a process and its descendants in bytes; 0 if it has ended."""
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
    """Provide a clone of this repository for the duration of the block."""
    with tempfile.TemporaryDirectory(prefix="seqline-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)  # noqa: S603, S607 - the user's own git
        yield clone


def time_repro() -> Figures:
    """Measure `make repro`, cold and with nothing to do: seconds, peak memory, and the seconds of each stage.

    When torch is restricted to AVX2 (see `benchmarks.timing.SUFFIX`), only the seconds of the cold run are measured.
    """
    with fresh_clone() as clone:
        cold = measure(["make", "repro", f"PYTHON={sys.executable}"], clone)
        if SUFFIX:
            return {f"repro_cold_s{SUFFIX}": cold.seconds}
        noop = measure(["make", "repro"], clone)
    stages = {f"{stage}_s": seconds for stage, seconds in cold.stages.items()}
    stages |= {f"train@{task}_peak_mib": peak for task, peak in cold.trainings.items()}
    return {"repro_cold_s": cold.seconds, "repro_noop_s": noop.seconds, "repro_peak_mib": cold.peak_mib, **stages}


def time_test() -> Figures:
    """Measure the seconds of `make test-fast` and `make test` in a ready environment."""
    with fresh_clone() as clone:
        measure(["make", *ENVIRONMENTS, f"PYTHON={sys.executable}"], clone)
        return {f"{name}_s": measure(["make", name.replace("_", "-")], clone).seconds for name in ("test_fast", "test")}


PARTS: dict[str, Callable[[], Figures]] = {"repro": time_repro, "test": time_test}


if __name__ == "__main__":
    run_parts("pipeline", "Time the pipeline's default profile.", PARTS, PACKAGES)
