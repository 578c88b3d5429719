"""Which device to train on, in which precision, and one setting of the C library that training on a CPU needs."""

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
WORTH = 1.3  # gain from which on bf16 pays for its casts
MEASURED_S = 0.02  # of each measurement
LOOK_S = 1.0  # between two looks for a free GPU
_taken: list[IO[str]] = []  # lock files that must stay open
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def pick_accelerator(device: str) -> Literal["cpu", "cuda"]:
    """`auto` is the GPU where there is one. Asking for one that is not there raises ValueError."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: cuda, but torch sees no GPU here; use auto or cpu")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def pick_device(device: str) -> str:
    """The accelerator of `pick_accelerator`, as torch names it; if it is a GPU, then one of this process's own."""
    return f"cuda:{take_gpu()}" if pick_accelerator(device) == "cuda" else "cpu"


@cache  # one is enough for a process, however often it trains
def take_gpu() -> int:
    """Wait until there is a GPU that no other process takes in this working tree, and take it until this process ends.

    Returns:
        its index among those that torch sees.
    """
    # By what each is, not by its index: two processes need not see the same ones.
    names = [str(torch.cuda.get_device_properties(index).uuid) for index in range(torch.cuda.device_count())]
    folder = CHECKPOINTS / "gpus"
    folder.mkdir(parents=True, exist_ok=True)
    locks = [(folder / name).open("w") for name in names]
    told = False
    while (free := next((index for index, lock in enumerate(locks) if _locked(lock)), None)) is None:
        if not told:
            Console().print("waiting for a GPU: other stages have them all")
        told = True
        sleep(LOOK_S)
    _taken.append(locks[free])
    return free


def _locked(file: IO[str]) -> bool:
    """Lock a file, if no other process has. The lock goes with the process, however that ends."""
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def pick_precision(precision: str, accelerator: str) -> Precision:
    """`auto` is bf16 where matrix products gain by it: on a GPU that has it, on a CPU as measured here and now."""
    if precision == "auto":
        gains = torch.cuda.is_bf16_supported() if accelerator == "cuda" else bf16_gain() > WORTH
        return "bf16-mixed" if gains else "32-true"
    return "bf16-mixed" if precision == "bf16" else "32-true"


@cache
def bf16_gain() -> float:
    """How many times as fast as in float32 this CPU multiplies matrices in bf16.

    A processor's list of instructions does not tell: some are far slower by those they have, and libraries may be told not to use
    them. The best of several turns on one thread hardly depends on what else the machine does: it is 2 or more, or far below 1.
    """
    seconds = [_product_seconds(dtype) for dtype in (torch.float32, torch.bfloat16)]
    return seconds[0] / seconds[1]


def _product_seconds(dtype: torch.dtype) -> float:
    """Of a product as in a training step, the best of several."""
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
    """Let malloc keep large blocks that were freed, instead of giving them back to the kernel.

    A training step frees and asks for the same tens of megabytes again and again. By default glibc returns each such block
    and the kernel zeroes its pages anew every time, which costs a good part of the step. Elsewhere than glibc: nothing.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, 1 << 30)
            mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
