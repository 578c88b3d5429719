"""The step that all word2vec kernels share: some input vectors times a block of output vectors, as a small matrix product.

For inputs x_m, outputs y_n, labels l_n in {0, 1} and weights a_n (the learning rate, or 0 for an output that does not count),

    e_mn = a_n (l_n - sigmoid(x_m^T y_n))
    y_n <- y_n + sum over m of e_mn x_m
    x_m <- x_m + sum over n of e_mn y_n

is gradient descent on -sum over m, n of a_n log sigmoid(s x_m^T y_n), s = 1 where l_n = 1 and -1 elsewhere. Sharing the outputs
among the inputs of a window follows Ji et al. 2016, arXiv 1604.04661.
"""

from typing import Any

from models.cpu.arithmetic import (
    add_inner_product,
    add_outer_product,
    add_product,
    errors,
    outer_sums,
    outer_zeros,
    zeros,
)
from models.cpu.compiled import inlined
from models.cpu.lanes import LANES
from models.cpu.registers import HALF, WIDE, add_to_rows, load, load_rows, load_twice, rows_of, spread_each, store

BLOCK = HALF  # maximum number of outputs in a block


@inlined
def _errors(x: Any, inputs: Any, y: Any, outputs: Any, width: int, labels: Any, weights: Any) -> Any:
    """e_mn of one or two inputs, as number 8 m + n of a register."""
    products = outer_zeros(inputs, outputs)
    for k in range(0, width, LANES):
        products = add_outer_product(load_rows(x, inputs, k), load_rows(y, outputs, k), products)
    return errors(outer_sums(inputs, outputs, products), labels, weights)


@inlined
def step(space: Any, count: Any, target: Any, places: Any, first: Any, start: Any) -> None:
    """One step on the first `count` of `space.inputs.vectors`, which are not changed themselves, and on a block of outputs.

    Args:
        space: a `Workspace`.
        count: number of inputs.
        target: a matrix; the steps of the inputs are added to its rows.
        places: where these rows start in `target`.
        first: index in `places` of the first input's row.
        start: index in `space.outputs` of the block.
    """
    x, y, outputs, width = space.inputs.vectors, space.model.y, space.outputs, len(space.shape.row) * LANES
    rows = rows_of(outputs.words, start, width, space.shape.block)
    labels, weights, found = load_twice(outputs.labels, start), load_twice(outputs.weights, start), outputs.errors
    paired = count - count % 2 if WIDE else 0  # two inputs at a time, if there are enough registers for their products
    for m in range(0, paired, 2):
        store(found, m * BLOCK, _errors(x, (m * width, (m + 1) * width), y, rows, width, labels, weights))
    for m in range(paired, count):
        store(found, m * BLOCK, _errors(x, (m * width,), y, rows, width, labels, weights))
    for k in range(0, width, LANES):
        vectors, steps = load_rows(y, rows, k), zeros(rows)
        if WIDE:
            for m in range(count):
                error, place = spread_each(found, m * BLOCK, rows), places[first + m] + k
                store(target, place, add_inner_product(error, vectors, load(target, place)))
                steps = add_product(error, load(x, m * width + k), steps)
        else:  # not enough registers for both the vectors and the steps
            for m in range(count):
                place = places[first + m] + k
                store(target, place, add_inner_product(spread_each(found, m * BLOCK, rows), vectors, load(target, place)))
            for m in range(count):
                steps = add_product(spread_each(found, m * BLOCK, rows), load(x, m * width + k), steps)
        add_to_rows(y, rows, k, steps)
