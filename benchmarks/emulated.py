"""Runs an ONNX graph on another CPU model, emulated by QEMU."""

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
HASWELL = "Haswell-noTSX"  # from 2013: AVX2, but neither AVX-512 nor VNNI
ROOT = Path(__file__).parents[1]


def unavailable() -> str | None:
    """Return the reason why emulation is not possible here, or None if it is."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"{QEMU} can run this Python only on Linux on x86-64"
    if not shutil.which(QEMU):
        return f"{QEMU}, which emulates other CPUs, is missing; install it with `apt-get install qemu-user`"
    return None


def run_emulated(graph: Path, inputs: Mapping[str, NDArray[Any]], processor: str = HASWELL) -> list[NDArray[Any]]:
    """Run a graph on an emulated CPU, with the session class used in serving.

    Args:
        graph: the ONNX file.
        inputs: arrays by name.
        processor: a CPU model listed by `qemu-x86_64 -cpu help`.

    Returns:
        The graph's outputs, in order.

    Raises:
        RuntimeError: the run failed; the message contains its stderr.
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
