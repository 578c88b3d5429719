"""Runs a graph on a processor that this machine does not have, emulated by QEMU."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

QEMU = "qemu-x86_64"
HASWELL = "Haswell-noTSX"  # of 2013: AVX2, but neither AVX-512 nor VNNI
ROOT = Path(__file__).parents[1]


def unavailable() -> str | None:
    """Why nothing can be emulated here; None where it can."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"{QEMU} runs this Python on Linux on x86-64 alone"
    if not shutil.which(QEMU):
        return f"{QEMU} is missing, which emulates other processors; `apt-get install qemu-user` installs it"
    return None


def run_emulated(graph: Path, inputs: Mapping[str, NDArray[Any]], processor: str = HASWELL) -> list[NDArray[Any]]:
    """A graph's outputs on an emulated processor, by the session that serves it.

    Args:
        graph: the ONNX file.
        inputs: by name.
        processor: of those that `qemu-x86_64 -cpu help` lists.

    Raises:
        RuntimeError: it failed there; the message is what it printed.
    """
    with TemporaryDirectory(prefix="seqline-") as scratch:
        given, found = Path(scratch) / "inputs.npz", Path(scratch) / "outputs.npz"
        np.savez(given, **inputs)  # type: ignore[arg-type]  # its stub takes the first name for allow_pickle
        run = [sys.executable, "-m", "benchmarks.run_graph", str(graph.resolve()), str(given), str(found)]
        done = subprocess.run([QEMU, "-cpu", processor, *run], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise RuntimeError(f"{graph} failed on an emulated {processor}: {done.stderr}")
        with np.load(found) as arrays:
            return [arrays[name] for name in arrays.files]
