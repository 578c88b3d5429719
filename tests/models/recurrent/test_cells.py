"""A cell's step equals its paper's: compared with torch's cell, or with NumPy for peepholes."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.recurrent.cells import CELLS, lstm, peephole

D_IN, H, B = 3, 4, 5
CELLS_OF_TORCH = {
    "rnn": nn.RNNCell(D_IN, H),
    "rnn_relu": nn.RNNCell(D_IN, H, nonlinearity="relu"),
    "lstm": nn.LSTMCell(D_IN, H),
    "gru": nn.GRUCell(D_IN, H),
}
Array = NDArray[np.float64]


def random(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


@pytest.mark.parametrize("name", CELLS_OF_TORCH)
def test_a_step_equals_torchs_cell(name: str) -> None:
    torch.manual_seed(0)
    cell, theirs, x = CELLS[name], CELLS_OF_TORCH[name].double(), random(B, D_IN)
    parts = [random(B, H) for _ in range(cell.parts)]
    inputs = x @ theirs.weight_ih.T + theirs.bias_ih
    recurrent = parts[0] @ theirs.weight_hh.T + theirs.bias_hh
    expected = theirs(x, tuple(parts) if cell.parts == 2 else parts[0])
    actual = torch.split(cell.step(inputs, recurrent, torch.cat(parts, -1)), H, -1)
    for a, b in zip(actual, expected if cell.parts == 2 else [expected], strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=0)


def test_a_peephole_step_equals_the_papers() -> None:
    def sigmoid(x: Array) -> Array:
        return 1 / (1 + np.exp(-x))

    rng = np.random.default_rng(0)
    c, p_i, p_f, p_o = (rng.normal(size=H) for _ in range(4))
    net_i, net_f, net_g, net_o = (rng.normal(size=H) for _ in range(4))  # W x_t + U h_{t-1} + b of each gate
    c_t = sigmoid(net_f + p_f * c) * c + sigmoid(net_i + p_i * c) * np.tanh(net_g)
    h_t = sigmoid(net_o + p_o * c_t) * np.tanh(c_t)
    inputs = torch.from_numpy(np.concatenate((net_i, net_f, net_g, net_o)))
    state = torch.from_numpy(np.concatenate((rng.normal(size=H), c)))
    actual = peephole(inputs, torch.zeros_like(inputs), state, torch.from_numpy(np.concatenate((p_i, p_f, p_o))))
    np.testing.assert_allclose(actual.numpy(), np.concatenate((h_t, c_t)), atol=1e-12)


def test_zero_peepholes_equal_an_lstm() -> None:
    inputs, recurrent, state = random(B, 4 * H), random(B, 4 * H), random(B, 2 * H)
    closed = peephole(inputs, recurrent, state, torch.zeros(3 * H, dtype=torch.float64))
    torch.testing.assert_close(closed, lstm(inputs, recurrent, state), atol=1e-12, rtol=0)
