"""Choice of device and precision, and a setting of the C library for training on a CPU."""

import ctypes
import sys
from fcntl import LOCK_EX, LOCK_NB, flock
from functools import cache
from time import perf_counter, sleep
from typing import IO, Literal

import torch
from rich.console import Console

from pipelines.paths import CHECKPOINTS

Precision = Literal["32-true", "bf16-mixed"]
WORTH = 1.3  # speedup from which bf16 is worth its casts
MEASURED_S = 0.02  # duration of each measurement
LOOK_S = 1.0  # between two checks for a free GPU
_taken: list[IO[str]] = []  # lock files that must stay open
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def pick_accelerator(device: str) -> Literal["cpu", "cuda"]:
    """The accelerator; `auto` is the GPU if there is one. Raises ValueError for `cuda` without a GPU."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: cuda, but torch sees no GPU here; use auto or cpu")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def pick_device(device: str) -> str:
    """The torch device for `pick_accelerator`; a GPU is reserved for this process."""
    return f"cuda:{take_gpu()}" if pick_accelerator(device) == "cuda" else "cpu"


@cache  # one per process, however often it trains
def take_gpu() -> int:
    """Wait for a GPU that no other process of this working tree uses, and reserve it until this process ends.

    Returns:
        its index among the GPUs that torch sees.
    """
    # By UUID, not by index: two processes may see different sets of GPUs.
    names = [str(torch.cuda.get_device_properties(index).uuid) for index in range(torch.cuda.device_count())]
    folder = CHECKPOINTS / "gpus"
    folder.mkdir(parents=True, exist_ok=True)
    locks = [(folder / name).open("w") for name in names]
    told = False
    while (free := next((index for index, lock in enumerate(locks) if _locked(lock)), None)) is None:
        if not told:
            Console(emoji=False).print("waiting for a GPU: all are used by other stages")
        told = True
        sleep(LOOK_S)
    _taken.append(locks[free])
    return free


def _locked(file: IO[str]) -> bool:
    """Lock a file, if no other process has locked it. The lock is released when the process ends, in whatever way."""
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def pick_precision(precision: str, accelerator: str) -> Precision:
    """The precision; `auto` is bf16 if it speeds up matrix products: on GPUs with bf16, and on CPUs by measurement."""
    if precision == "auto":
        gains = torch.cuda.is_bf16_supported() if accelerator == "cuda" else bf16_gain() > WORTH
        return "bf16-mixed" if gains else "32-true"
    return "bf16-mixed" if precision == "bf16" else "32-true"


@cache
def bf16_gain() -> float:
    """Speedup of matrix products on this CPU in bf16 over float32.

    The CPU's instruction sets are no reliable indicator: bf16 instructions are far slower on some CPUs, and libraries may be
    configured not to use them. The best of several runs on one thread hardly depends on other load: it is 2 or more, or far below
    1.
    """
    seconds = [_product_seconds(dtype) for dtype in (torch.float32, torch.bfloat16)]
    return seconds[0] / seconds[1]


def _product_seconds(dtype: torch.dtype) -> float:
    """Seconds of a matrix product of typical size, the best of several."""
    before, found = torch.get_num_threads(), list[float]()
    a, b = (torch.ones(128, 256, dtype=dtype), torch.ones(256, 768, dtype=dtype))
    torch.set_num_threads(1)
    while sum(found) < MEASURED_S:
        start = perf_counter()
        a @ b
        found.append(perf_counter() - start)
    torch.set_num_threads(before)
    return min(found)


def keep_freed_memory() -> None:
    """Let malloc keep large freed blocks instead of returning them to the kernel.

    A training step frees and allocates the same tens of megabytes again and again. By default glibc returns each such block, and
    the kernel zeroes its pages every time, which takes a considerable part of the step. A no-op without glibc.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, 1 << 30)
            mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
