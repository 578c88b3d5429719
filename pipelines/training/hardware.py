"""Which device to train on, in which precision, and one setting of the C library that training on a CPU needs."""

import ctypes
import sys
from typing import Literal

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def pick_accelerator(device: str) -> Literal["cpu", "cuda"]:
    """`auto` is the GPU where there is one. Asking for one that is not there raises ValueError."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: cuda, but torch sees no GPU here; use auto or cpu")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def pick_precision(precision: str, accelerator: str) -> Literal["32-true", "bf16-mixed"]:
    """`auto` is bf16 where the device has instructions for its matrix products; elsewhere bf16 would only be emulated."""
    if precision == "auto":
        native = (
            torch.cuda.is_bf16_supported() if accelerator == "cuda" else torch.cpu.get_capabilities().get("avx512_bf16", False)
        )
        return "bf16-mixed" if native else "32-true"
    return "bf16-mixed" if precision == "bf16" else "32-true"


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
