"""The inputs and outputs of one window, in which the kernels of different methods differ.

Inputs are stored as offsets in x, outputs as blocks. They are prepared one window ahead, so that they can be prefetched.
"""

from typing import Any

import numpy as np

from models.cpu.compiled import inlined
from models.cpu.lanes import LANES
from models.cpu.registers import prefetch
from models.embeddings.draws import draw
from models.embeddings.step import BLOCK

YES, NO = np.float32(1), np.float32(0)  # labels; all of one type, because functions are compiled for each combination of types
ZERO, WORD_0 = np.int64(0), np.int32(0)


@inlined
def _prefetch_row(matrix: Any, place: Any, row: Any) -> None:
    for n in range(len(row)):
        prefetch(matrix, place + n * LANES)


@inlined
def _add_input(space: Any, slot: Any, word: Any) -> Any:
    place = np.int64(word) * len(space.shape.row) * LANES
    space.inputs.places[slot] = place
    _prefetch_row(space.model.x, place, space.shape.row)
    return slot + 1


@inlined
def _add_output(space: Any, slot: Any, n: Any, word: Any, label: Any, weight: Any) -> Any:
    outputs, block = space.outputs, len(space.shape.block)
    place = slot + n // block * BLOCK + n % block
    outputs.words[place], outputs.labels[place], outputs.weights[place] = word, label, weight
    _prefetch_row(space.model.y, np.int64(word) * len(space.shape.row) * LANES, space.shape.row)
    return n + 1


@inlined
def _complete_block(space: Any, slot: Any, n: Any) -> Any:
    """Fill up the last block with outputs that do not count; returns the number of blocks."""
    block = len(space.shape.block)
    while n % block:
        n = _add_output(space, slot, n, WORD_0, NO, NO)
    return n // block


@inlined
def context_inputs(space: Any, slot: Any, i: int) -> Any:
    """The words around word i; returns the end of the slot."""
    for j in range(space.windows.first[i], space.windows.last[i]):
        if j != i:
            slot = _add_input(space, slot, space.windows.kept[j])
    return slot


@inlined
def bag_inputs(space: Any, slot: Any, i: int) -> Any:
    """The vectors that represent word i, none if its window has no other word; returns the end of the slot."""
    word = space.windows.kept[i]
    if space.windows.last[i] - space.windows.first[i] > 1:
        for n in range(space.bags.starts[word], space.bags.starts[word + 1]):
            slot = _add_input(space, slot, space.bags.rows[n])
    return slot


@inlined
def noise_outputs(space: Any, slot: Any, i: int, rate: Any) -> Any:
    """Word i, and noise words, which do not count if they equal word i; returns the number of blocks."""
    word = space.windows.kept[i]
    n = _add_output(space, slot, ZERO, word, YES, rate)
    for _ in range(space.tables.negatives):
        noise = draw(space.tables.table, space.state)
        n = _add_output(space, slot, n, noise, NO, NO if noise == word else rate)
    return _complete_block(space, slot, n)


@inlined
def path_outputs(space: Any, slot: Any, i: int, rate: Any) -> Any:
    """The nodes on the path to word i; returns the number of blocks."""
    word, paths, n = space.windows.kept[i], space.tables, ZERO
    for step in range(paths.starts[word], paths.starts[word + 1]):
        n = _add_output(space, slot, n, paths.nodes[step], paths.labels[step], rate)
    return _complete_block(space, slot, n)


@inlined
def context_outputs(space: Any, slot: Any, i: int, rate: Any) -> Any:
    """The words around word i, and noise words, each weighted by the words it differs from; returns the number of blocks."""
    kept, first, last, n = space.windows.kept, space.windows.first[i], space.windows.last[i], ZERO
    for j in range(first, last):
        if j != i:
            n = _add_output(space, slot, n, kept[j], YES, rate)
    for _ in range(space.tables.negatives):
        noise, pairs = draw(space.tables.table, space.state), 0
        for j in range(first, last):
            pairs += j != i and kept[j] != noise
        n = _add_output(space, slot, n, noise, NO, rate * np.float32(pairs))
    return _complete_block(space, slot, n)
