"""Releasing memory-mapped arrays, so that a process keeps only the pages in memory that it works on."""

from collections.abc import Iterable
from mmap import MADV_DONTNEED, mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray


def release(arrays: Iterable[NDArray[Any]]) -> None:
    """Release the pages of read-only memory-mapped arrays. Other arrays are ignored; pages are loaded again on access."""
    for array in arrays:
        base: object = array
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, mmap) and not array.flags.writeable:
            base.madvise(MADV_DONTNEED)
