"""The gradient of a loss with respect to each state: backpropagation through time, step by step."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.recurrent.cells import CELLS
from models.recurrent.layer import Recurrent


@dataclass(frozen=True)
class Steps:
    """States and gates of a layer, from step 1 to step T.

    Attributes:
        parts: vectors of size H in a state: h, or h and C.
        states: after each step, [B, S] each.
        gates: W x_t + U h_{t-1} + b of each step, [B, G * H] each.
    """

    parts: int
    states: list[Tensor]
    gates: list[Tensor]


def unroll(layer: Recurrent, x: Tensor) -> Steps:
    """Run a layer by its cell's equations, from a zero state.

    Torch's fused functions return all h_t, but the gradient with respect to one of them misses the path through h_{t+1}, which is
    inside the function. Here each state is a node of the computation graph.

    Args:
        layer: one layer in one direction, of a cell without peepholes.
        x: [B, T, d].

    Raises:
        ValueError: the layer is of another kind.
    """
    if len(layer.layers) > 1 or layer.directions > 1 or layer.peepholes:
        raise ValueError("unroll supports only one layer in one direction, without peepholes")
    w_ih, w_hh, b_ih, b_hh = cast(nn.RNNBase, layer.layers[0]).all_weights[0]
    cell, state = CELLS[layer.cell], x.new_zeros(len(x), layer.state_size)
    steps = Steps(cell.parts, [], [])
    for inputs in functional.linear(x, w_ih, b_ih).unbind(1):  # [B, G * H]
        recurrent = functional.linear(state[:, : w_hh.shape[1]], w_hh, b_hh)
        state = cell.step(inputs, recurrent, state)
        steps.states.append(state)
        steps.gates.append((inputs + recurrent).detach())
    return steps


def state_gradients(loss: Tensor, steps: Steps) -> dict[str, Tensor]:
    """dL/dh_t, and for an LSTM dL/dC_t, along all paths from the state to the loss.

    For the simple network they are products of Jacobians (Pascanu, Mikolov and Bengio 2013, arXiv 1211.5063, eq. 4 and 5).

    Args:
        loss: L, a scalar computed from the states.
        steps: from `unroll`.

    Returns:
        "h" and for an LSTM "C", [T, B, H] each.
    """
    gradients = torch.stack(torch.autograd.grad(loss, steps.states))  # [T, B, S]
    if steps.parts == 1:
        return {"h": gradients}
    d_h, d_next = gradients.chunk(2, -1)  # lacks C_t's path through h_t = o_t * tanh(C_t), a part of the same state
    c = torch.stack(steps.states).detach().chunk(2, -1)[1]
    o = torch.sigmoid(torch.stack(steps.gates).chunk(4, -1)[3])
    return {"h": d_h, "C": d_next + d_h * o * (1 - torch.tanh(c).square())}
