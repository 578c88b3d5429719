"""The recurrent cells, each as its equations: step t of one layer in one direction.

W x_t does not depend on the state, so a layer computes it for all steps at once. A cell takes the two products as arguments,

    inputs     W x_t + b, [..., G * H]: the rows of its G gates stacked in torch's order
    recurrent  U h_{t-1} + b', [..., G * H]
    state      h_{t-1} [..., H], or for an LSTM [h_{t-1}; C_{t-1}] [..., 2H]

and returns the state after the step. H is the hidden size, * the elementwise product; b stands for both biases below.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn


def rnn(inputs: Tensor, recurrent: Tensor, _state: Tensor) -> Tensor:
    """The simple recurrent network (Elman 1990): h_t = tanh(W x_t + U h_{t-1} + b)."""
    return torch.tanh(inputs + recurrent)


def rnn_relu(inputs: Tensor, recurrent: Tensor, _state: Tensor) -> Tensor:
    """The same with ReLU (Le, Jaitly and Hinton 2015, arXiv 1504.00941): h_t = relu(W x_t + U h_{t-1} + b)."""
    return torch.relu(inputs + recurrent)


def lstm(inputs: Tensor, recurrent: Tensor, state: Tensor) -> Tensor:
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with a forget gate (Gers, Schmidhuber and Cummins 2000).

    i_t = sigmoid(W_i x_t + U_i h_{t-1} + b_i)
    f_t = sigmoid(W_f x_t + U_f h_{t-1} + b_f)
    g_t = tanh(W_g x_t + U_g h_{t-1} + b_g), the candidate for C_t
    o_t = sigmoid(W_o x_t + U_o h_{t-1} + b_o)
    C_t = f_t * C_{t-1} + i_t * g_t
    h_t = o_t * tanh(C_t)
    """
    _, c = state.chunk(2, -1)  # C_{t-1}, [..., H]
    i, f, g, o = (inputs + recurrent).chunk(4, -1)  # [..., H] each
    c_t = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h_t = torch.sigmoid(o) * torch.tanh(c_t)
    return torch.cat((h_t, c_t), -1)


def peephole(inputs: Tensor, recurrent: Tensor, state: Tensor, peepholes: Tensor) -> Tensor:
    """LSTM whose gates also read the cell (Gers and Schmidhuber 2000; Gers, Schraudolph and Schmidhuber 2002, section 4).

    i_t = sigmoid(W_i x_t + U_i h_{t-1} + p_i * C_{t-1} + b_i)
    f_t = sigmoid(W_f x_t + U_f h_{t-1} + p_f * C_{t-1} + b_f)
    o_t = sigmoid(W_o x_t + U_o h_{t-1} + p_o * C_t + b_o)

    and the rest as in `lstm`: the output gate reads the cell after the update. `peepholes` is [p_i; p_f; p_o], [3H].
    """
    _, c = state.chunk(2, -1)  # C_{t-1}, [..., H]
    i, f, g, o = (inputs + recurrent).chunk(4, -1)  # [..., H] each
    p_i, p_f, p_o = peepholes.chunk(3)  # [H] each
    c_t = torch.sigmoid(f + p_f * c) * c + torch.sigmoid(i + p_i * c) * torch.tanh(g)
    h_t = torch.sigmoid(o + p_o * c_t) * torch.tanh(c_t)
    return torch.cat((h_t, c_t), -1)


def gru(inputs: Tensor, recurrent: Tensor, state: Tensor) -> Tensor:
    """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078), with the reset gate after the product with U, as in cuDNN.

    r_t = sigmoid(W_r x_t + U_r h_{t-1} + b_r)
    z_t = sigmoid(W_z x_t + U_z h_{t-1} + b_z)
    n_t = tanh(W_n x_t + b_n + r_t * (U_n h_{t-1} + b'_n)), the candidate for h_t
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}
    """
    (x_r, x_z, x_n), (h_r, h_z, h_n) = inputs.chunk(3, -1), recurrent.chunk(3, -1)  # [..., H] each
    r_t, z_t = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n_t = torch.tanh(x_n + r_t * h_n)
    return (1 - z_t) * n_t + z_t * state


@dataclass(frozen=True)
class Cell:
    """A cell, and torch's implementation of it for the same weights.

    Args:
        step: the equations. The weights of peepholes are a fourth argument.
        layer: torch's layer, which holds W_ih, W_hh, b_ih and b_hh of each direction.
        fused: torch's function that runs the whole layer; None if there is none.
        parts: vectors of size H in a state: h, or h and C.
        peepholes: number of gates that read C.
        bound: largest possible magnitude of h.
    """

    step: Callable[..., Tensor]
    layer: Callable[..., nn.RNNBase]
    fused: Callable[..., tuple[Tensor, ...]] | None
    parts: int
    peepholes: int = 0
    bound: float = 1.0


CELLS: Mapping[str, Cell] = {
    "rnn": Cell(rnn, nn.RNN, torch.rnn_tanh, parts=1),
    "rnn_relu": Cell(rnn_relu, partial(nn.RNN, nonlinearity="relu"), torch.rnn_relu, parts=1, bound=math.inf),
    "lstm": Cell(lstm, nn.LSTM, torch.lstm, parts=2),
    "peephole": Cell(peephole, nn.LSTM, None, parts=2, peepholes=3),
    "gru": Cell(gru, nn.GRU, torch.gru, parts=1),
}
