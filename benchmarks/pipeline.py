"""Time and memory of the default profile: `python -m benchmarks.pipeline [repro] [stages] [test]`, without arguments all three.

- repro: `make repro` in a fresh clone, installation and downloads included, and again with nothing changed.
- stages: each stage alone, forced, by `dvc repro`, in a fresh clone that uses this environment.
- test: `make test` in a fresh clone, installation included.

Each part clones the commit that is checked out: uncommitted changes are not measured. pip's cache is not used.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.record import record

SAMPLE_S = 0.2  # between two looks at the memory
MIB = 2**20

Figures = dict[str, float]


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Attributes:
        seconds: wall-clock time.
        peak_mib: largest sum of the resident memory of the command and all its children, shared pages counted in each.
    """

    seconds: float
    peak_mib: float


def measure(command: Sequence[str], folder: Path) -> Cost:
    """Run a command in a folder.

    Raises:
        CalledProcessError: it failed.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PIP_NO_CACHE_DIR": "1", "PATH": path}
    start, peak = time.monotonic(), 0
    with subprocess.Popen(command, cwd=folder, env=environment) as process:  # noqa: S603 - the commands of this file
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(SAMPLE_S)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(time.monotonic() - start, peak / MIB)


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
    """Seconds of `make repro`, cold and with nothing to do."""
    with fresh_clone() as clone:
        cold = measure(["make", "repro", f"PYTHON={sys.executable}"], clone)
        noop = measure(["make", "repro"], clone)
    return {"repro_cold_s": cold.seconds, "repro_noop_s": noop.seconds}


def time_stages() -> Figures:
    """Seconds and peak memory of each stage, DVC's own share included."""
    figures: Figures = {}
    with fresh_clone() as clone:
        for stage in stage_names(clone):
            cost = measure(["dvc", "repro", "--single-item", "--force", stage], clone)
            figures |= {f"{stage}_s": cost.seconds, f"{stage}_peak_mib": cost.peak_mib}
    return figures


def stage_names(folder: Path) -> list[str]:
    """The stages in the order of dvc.yaml, in which each follows what it depends on."""
    command = [sys.executable, "-m", "dvc", "stage", "list", "--name-only"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603 - no outside input
    return done.stdout.split()


def time_test() -> Figures:
    """Seconds of `make test`, cold."""
    with fresh_clone() as clone:
        return {"test_cold_s": measure(["make", "test", f"PYTHON={sys.executable}"], clone).seconds}


PARTS: dict[str, Callable[[], Figures]] = {"repro": time_repro, "stages": time_stages, "test": time_test}


def main() -> None:
    """Run the parts that the arguments name; each writes its figures as soon as it has them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description="Time the pipeline's default profile.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; all where none is named")
    parts = parser.parse_args().parts or list(PARTS)
    for part in parts:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}; there are {', '.join(PARTS)}")
        figures = {key: round(value, 1) for key, value in PARTS[part]().items()}
        record("pipeline", " ".join(["python -m benchmarks.pipeline", *parts]), figures)


if __name__ == "__main__":
    main()
