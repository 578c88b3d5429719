"""Working memory of a kernel: the model and its tables, which all threads share, and a thread's own scratch space."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.cpu.lanes import LANES
from models.embeddings.bags import Bags
from models.embeddings.hogwild import CHUNK
from models.embeddings.huffman import Paths
from models.embeddings.sampling import AliasTable
from models.embeddings.step import BLOCK

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]

CACHE_LINE = 64  # bytes


class Model(NamedTuple):
    """Input vectors x and output vectors y, each [rows * width]; rows are padded with zeros to whole registers."""

    x: Floats
    y: Floats


class Noise(NamedTuple):
    """The number of noise words per window, and the table to draw them from."""

    negatives: int
    table: AliasTable


class Windows(NamedTuple):
    """The words of a chunk that are not skipped, and for each the range of its window in `kept`, itself included.

    Attributes:
        keep: from `keep_thresholds`, [V].
        reach: largest number of words on each side.
        kept: [CHUNK].
        first: [CHUNK].
        last: [CHUNK].
    """

    keep: npt.NDArray[np.uint32]
    reach: int
    kept: Ids
    first: Places
    last: Places


class Outputs(NamedTuple):
    """Outputs of two windows, the current and the next, in blocks: each starts at a multiple of 8.

    Attributes:
        words: rows of y.
        labels: l_n.
        weights: a_n.
        errors: e_mn of the current block, at 8 m + n.
    """

    words: Ids
    labels: Floats
    weights: Floats
    errors: Floats


class Inputs(NamedTuple):
    """Inputs of two windows.

    Attributes:
        places: where their rows start in x; the first half for one window, the second for the other.
        vectors: x_m of the current window, [m * width].
        change: the step of their mean, [width].
        start: offset of `change`: 0, [1].
    """

    places: Places
    vectors: Floats
    change: Floats
    start: Places


class Shape(NamedTuple):
    """Lengths known at compile time, as tuples of that length: registers of a row, outputs of a block."""

    row: tuple[int, ...]
    block: tuple[int, ...]


class Workspace(NamedTuple):
    """All memory that a kernel reads or writes.

    Attributes:
        model: shared by all threads, as are `tables` and `bags`.
        tables: `Noise` for negative sampling, `Paths` for hierarchical softmax.
        bags: of fastText.
        windows: scratch space of one thread, as are the following attributes.
        inputs: of the windows.
        outputs: of the windows.
        state: of random numbers, [1].
        shape: of rows and blocks.
    """

    model: Model
    tables: Noise | Paths
    bags: Bags | None
    windows: Windows
    inputs: Inputs
    outputs: Outputs
    state: npt.NDArray[np.uint64]
    shape: Shape


def padded(dimension: int) -> int:
    """Length of a row of d numbers in whole registers."""
    return -(-dimension // LANES) * LANES


def aligned_zeros(length: int) -> Floats:
    """Zeros aligned to a cache line: a register is then read from one line, not from two."""
    numbers = np.zeros(length + CACHE_LINE // 4, dtype=np.float32)
    start = -numbers.ctypes.data % CACHE_LINE // 4
    return numbers[start : start + length]


def new_windows(keep: npt.NDArray[np.uint32], reach: int) -> Windows:
    """Scratch space for the windows of a chunk."""
    return Windows(keep, reach, np.zeros(CHUNK, np.int32), np.zeros(CHUNK, np.int64), np.zeros(CHUNK, np.int64))


def new_inputs(rows: int, vectors: int, width: int) -> Inputs:
    """Scratch space for at most `rows` rows of x in a window, and for the `vectors` vectors x_m computed from them."""
    places, start = np.zeros(2 * rows, np.int64), np.zeros(1, np.int64)
    return Inputs(places, aligned_zeros(vectors * width), aligned_zeros(width), start)


def new_outputs(outputs: int, vectors: int, block: int) -> Outputs:
    """Scratch space for at most `outputs` outputs in a window, in blocks of `block`, and for the errors of `vectors` x_m."""
    length = 2 * BLOCK * -(-outputs // block)
    errors = aligned_zeros(BLOCK * (vectors + 1))  # if their number is odd, the last one is written as a pair
    return Outputs(np.zeros(length, np.int32), aligned_zeros(length), aligned_zeros(length), errors)
