"""The unrolled layer equals the layer, and its gradients include all paths from each state to the loss."""

import pytest
import torch
from torch import Tensor

from models.names import CellName
from models.readout import LastStateReadout
from models.recurrent.cells import CELLS
from models.recurrent.gradients import state_gradients, unroll
from models.recurrent.layer import Recurrent

B, T, D, H = 3, 7, 2, 4
STEP = 1e-6  # of finite differences
TRACED = [name for name, cell in CELLS.items() if not cell.peepholes]


def made(cell: CellName) -> tuple[Recurrent, Tensor]:
    torch.manual_seed(0)
    return Recurrent(cell, D, H).double(), torch.randn(B, T, D, dtype=torch.float64)


def loss_of(h: Tensor) -> Tensor:
    """A loss of the last state; any nonlinear function."""
    return (h.square() * torch.arange(1, H + 1)).sum()


@pytest.mark.parametrize("cell", TRACED)
def test_unrolled_equals_the_layer(cell: CellName) -> None:
    layer, x = made(cell)
    outputs, final = layer(x, torch.full((B,), T))
    steps = unroll(layer, x)
    torch.testing.assert_close(torch.stack([state[:, :H] for state in steps.states], 1), outputs, atol=1e-12, rtol=0)
    torch.testing.assert_close(steps.states[-1], final[0], atol=1e-12, rtol=0)


@pytest.mark.parametrize("cell", TRACED)
def test_the_traced_output_equals_the_models(cell: CellName) -> None:
    torch.manual_seed(0)
    model, x = LastStateReadout(cell, D, H, 5).double(), torch.randn(B, T, D, dtype=torch.float64)
    answers, steps = model.traced(x)
    assert answers.shape == (B, 5)
    assert len(steps.states) == T
    torch.testing.assert_close(answers, model(x), atol=1e-12, rtol=0)


def test_the_rnns_gradients_are_products_of_jacobians() -> None:
    """Pascanu, Mikolov and Bengio 2013, eq. 5: dh_t/dh_{t-1} = diag(1 - h_t^2) U."""
    layer, x = made("rnn")
    steps = unroll(layer, x)
    u = layer.get_parameter("layers.0.weight_hh_l0").detach()
    expected = torch.zeros(T, B, H, dtype=torch.float64)
    expected[-1] = 2 * steps.states[-1].detach() * torch.arange(1, H + 1)  # of `loss_of`
    for t in range(T - 1, 0, -1):
        expected[t - 1] = (expected[t] * (1 - steps.states[t].detach().square())) @ u
    actual = state_gradients(loss_of(steps.states[-1]), steps)
    assert set(actual) == {"h"}
    torch.testing.assert_close(actual["h"], expected, atol=1e-12, rtol=0)


def loss_where(layer: Recurrent, x: Tensor, t: int, moved: Tensor) -> Tensor:
    """The loss if the state after step t were changed by `moved`."""
    state = unroll(layer, x[:, :t]).states[-1] + moved
    _, final = layer(x[:, t:], torch.full((B,), T - t), state[None])
    return loss_of(final[0, :, :H])


@pytest.mark.parametrize("t", [1, 3, T - 1])
@pytest.mark.parametrize("cell", TRACED)
def test_gradients_by_h_equal_finite_differences(cell: CellName, t: int) -> None:
    layer, x = made(cell)
    steps = unroll(layer, x)
    actual = state_gradients(loss_of(steps.states[-1][:, :H]), steps)["h"][t - 1]
    for unit in range(H):
        for row in range(B):
            moved = torch.zeros_like(steps.states[0])
            moved[row, unit] = STEP
            up, down = (float(loss_where(layer, x, t, sign * moved).detach()) for sign in (1, -1))
            assert float(actual[row, unit]) == pytest.approx((up - down) / (2 * STEP), abs=1e-7)


def test_gradients_by_c_go_through_h_too() -> None:
    """The LSTM written so that C_t comes before h_t: autograd then sees all paths from C_t."""
    layer, x = made("lstm")
    w_ih, w_hh, b_ih, b_hh = layer.weights(0)
    h = c = torch.zeros(B, H, dtype=torch.float64)
    cells = []
    for x_t in x.unbind(1):
        i, f, g, o = (x_t @ w_ih.T + b_ih + h @ w_hh.T + b_hh).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        cells.append(c)
    expected = torch.stack(torch.autograd.grad(loss_of(h), cells))
    steps = unroll(layer, x)
    actual = state_gradients(loss_of(steps.states[-1][:, :H]), steps)
    assert set(actual) == {"h", "C"}
    torch.testing.assert_close(actual["C"], expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("layers", "bidirectional"), [(2, False), (1, True)])
def test_other_layers_are_rejected(layers: int, bidirectional: bool) -> None:
    with pytest.raises(ValueError, match="one layer in one direction"):
        unroll(Recurrent("gru", D, H, layers=layers, bidirectional=bidirectional), torch.zeros(B, T, D))


def test_peepholes_are_rejected() -> None:
    with pytest.raises(ValueError, match="without peepholes"):
        unroll(Recurrent("peephole", D, H), torch.zeros(B, T, D))
