"""A step of the GRU in one pass over memory: `models.recurrence.gru_gates` and its gradient, compiled for CPUs.

Torch makes one pass over memory for each of a step's dozen operations, and each call takes some microseconds. Arrays are flat
here; shapes are those of a layer in D directions. `inputs`, `recurrent`, `before` and their gradients are float32, or bfloat16 as
uint16; the rest is float32.
"""

from typing import Any

from models.cpu.arithmetic import add, complement, multiply, multiply_add, sigmoid, subtract, tanh
from models.cpu.compiled import compiled
from models.cpu.lanes import LANES
from models.cpu.registers import load_any, store_any


@compiled
def forward_step(
    t: int, shape: Any, x: Any, lengths: Any, recurrent: Any, bias: Any, states: Any, gates: Any, before: Any
) -> None:
    """h_{t+1} from h_t; the first step is t = 0.

    Args:
        t: the step.
        shape: T, D, B, H; H is a multiple of LANES.
        x: the gates' inputs from the layer's inputs, [T, D, B, 3H] in the order r, z, n.
        lengths: [B]; from its length on, a row keeps its state.
        recurrent: the gates' inputs from h_t without the bias, [D, B, 3H].
        bias: [D, 3H].
        states: h_t, [T + 1, D, B, H]; h_{t+1} is written.
        gates: r, z, n and U_n h_t + b for the backward pass, [T, D, B, 4H]; written.
        before: h_t in the type of the matrix products, [D, T, B, H]; h_{t+1} is written unless the step is the last.
    """
    steps, directions, batch, size = shape
    for d in range(directions):
        for b in range(batch):
            row = d * batch + b
            old, new = (t * directions * batch + row) * size, ((t + 1) * directions * batch + row) * size
            kept, known, offset = 4 * old, 3 * old, 3 * d * size
            next_before = ((d * steps + t + 1) * batch + b) * size
            real = t < lengths[b]
            for k in range(0, size, LANES):
                h = load_any(states, old + k)
                if real:
                    hidden = 3 * row * size + k
                    reset = add(load_any(recurrent, hidden), load_any(bias, offset + k))
                    reset = sigmoid(add(reset, load_any(x, known + k)))
                    update = add(load_any(recurrent, hidden + size), load_any(bias, offset + size + k))
                    update = sigmoid(add(update, load_any(x, known + size + k)))
                    through = add(load_any(recurrent, hidden + 2 * size), load_any(bias, offset + 2 * size + k))
                    candidate = tanh(multiply_add(reset, through, load_any(x, known + 2 * size + k)))
                    h = multiply_add(update, subtract(h, candidate), candidate)
                    store_any(gates, kept + k, reset)
                    store_any(gates, kept + size + k, update)
                    store_any(gates, kept + 2 * size + k, candidate)
                    store_any(gates, kept + 3 * size + k, through)
                store_any(states, new + k, h)
                if t + 1 < steps:
                    store_any(before, next_before + k, h)


@compiled
def backward_step(
    t: int,
    shape: Any,
    grad: Any,
    lengths: Any,
    carried: Any,
    through_matrix: Any,
    states: Any,
    gates: Any,
    d_x: Any,
    d_recurrent: Any,
) -> None:
    """The gradients of `forward_step`.

    Args:
        t: the step; the backward pass starts at T - 1.
        shape: T, D, B, H.
        grad: of h_{t+1} from above, [T, D, B, H].
        lengths: [B].
        carried: the part of h_{t+1}'s gradient from later steps, without the matrix product, [D, B, H]; overwritten with that of
            h_t.
        through_matrix: the part through the matrix product of step t + 1, [D, B, H], in the type of these products.
        states: from `forward_step`.
        gates: from `forward_step`.
        d_x: gradient of x, [T, D, B, 3H]; that of step t is written.
        d_recurrent: gradient of `recurrent` at all steps, [D, T, B, 3H]; that of step t is written.
    """
    steps, directions, batch, size = shape
    for d in range(directions):
        for b in range(batch):
            row = d * batch + b
            state = (t * directions * batch + row) * size
            kept, known = 4 * state, 3 * state
            out = 3 * ((d * steps + t) * batch + b) * size
            real = t < lengths[b]
            for k in range(0, size, LANES):
                place = row * size + k
                d_h = add(load_any(grad, state + k), add(load_any(carried, place), load_any(through_matrix, place)))
                if real:
                    reset, update = load_any(gates, kept + k), load_any(gates, kept + size + k)
                    candidate, through = load_any(gates, kept + 2 * size + k), load_any(gates, kept + 3 * size + k)
                    by_update = multiply(d_h, update)
                    d_update = multiply(multiply(by_update, subtract(load_any(states, state + k), candidate)), complement(update))
                    d_candidate = multiply(subtract(d_h, by_update), complement(multiply(candidate, candidate)))
                    d_reset = multiply(multiply(d_candidate, through), multiply(reset, complement(reset)))
                    d_through = multiply(d_candidate, reset)
                    d_h = by_update
                else:
                    d_reset = d_update = d_candidate = d_through = subtract(d_h, d_h)
                store_any(d_x, known + k, d_reset)
                store_any(d_x, known + size + k, d_update)
                store_any(d_x, known + 2 * size + k, d_candidate)
                store_any(d_recurrent, out + k, d_reset)
                store_any(d_recurrent, out + size + k, d_update)
                store_any(d_recurrent, out + 2 * size + k, d_through)
                store_any(carried, place, d_h)
