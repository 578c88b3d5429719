"""A network of recurrent layers equals torch's, and the result for a row depends only on that row's units."""

import numpy as np
import pytest
import torch
from equality import EXACT, assert_same
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.names import CellName
from models.recurrent.cells import CELLS
from models.recurrent.layer import Recurrent

D_IN, H = 3, 4
TORCHS = {name: cell.layer for name, cell in CELLS.items() if cell.fused}
Array = NDArray[np.float64]

rows = st.lists(st.integers(1, 6), min_size=1, max_size=4)
depths = st.integers(1, 3)
seeds = st.integers(0, 1000)


def batch(layer: Recurrent, lengths: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Random x and its lengths, and a random state."""
    x = torch.randn(len(lengths), max(lengths), D_IN, dtype=torch.float64, requires_grad=True)
    count = len(layer.layers) * layer.directions
    state = torch.randn(count, len(lengths), layer.state_size, dtype=torch.float64, requires_grad=True)
    return x, torch.tensor(lengths), state


def torchs(layer: Recurrent) -> nn.RNNBase:
    """Torch's network with the same weights."""
    depth = len(layer.layers)
    theirs = TORCHS[layer.cell](D_IN, H, num_layers=depth, batch_first=True, bidirectional=layer.directions == 2).double()
    holders = [(f"_l{k}", holder) for k, holder in enumerate(layer.layers)]
    theirs.load_state_dict({n.replace("_l0", to): w for to, holder in holders for n, w in holder.state_dict().items()})
    return theirs


def run_torchs(theirs: nn.RNNBase, x: Tensor, lengths: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    first = tuple(part.contiguous() for part in torch.split(state, H, -1))
    outputs, final = theirs(packed, first if len(first) == 2 else first[0])
    padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
    return padded, torch.cat(final, -1) if isinstance(final, tuple) else final


@given(st.sampled_from(list(TORCHS)), rows, depths, st.booleans(), seeds)
def test_equals_torch(name: CellName, lengths: list[int], depth: int, bidirectional: bool, seed: int) -> None:
    torch.manual_seed(seed)
    ours = Recurrent(name, D_IN, H, layers=depth, bidirectional=bidirectional).double()
    theirs, (x, units, state) = torchs(ours), batch(ours, lengths)
    expected = run_torchs(theirs, x, units, state)
    assert_same(ours(x, units, state), [x, state, *ours.parameters()], expected, [x, state, *theirs.parameters()])


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def peephole_row(x: Array, state: Array, weights: list[Array]) -> tuple[Array, Array]:
    """One row in one direction, as in Gers, Schraudolph and Schmidhuber 2002: [T, d], [2H] -> [T, H], [2H]."""
    w, u, b, b_too, p = weights
    (w_i, w_f, w_g, w_o), (u_i, u_f, u_g, u_o) = np.split(w, 4), np.split(u, 4)
    (b_i, b_f, b_g, b_o), (p_i, p_f, p_o) = np.split(b + b_too, 4), np.split(p, 3)
    h, c = np.split(state, 2)
    outputs = []
    for x_t in x:
        i = sigmoid(w_i @ x_t + u_i @ h + p_i * c + b_i)
        f = sigmoid(w_f @ x_t + u_f @ h + p_f * c + b_f)
        c = f * c + i * np.tanh(w_g @ x_t + u_g @ h + b_g)
        o = sigmoid(w_o @ x_t + u_o @ h + p_o * c + b_o)
        h = o * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs), np.concatenate((h, c))


@given(rows, depths, st.booleans(), seeds)
def test_peepholes_equal_numpy(lengths: list[int], depth: int, bidirectional: bool, seed: int) -> None:
    torch.manual_seed(seed)
    layer = Recurrent("peephole", D_IN, H, layers=depth, bidirectional=bidirectional).double()
    x, units, state = batch(layer, lengths)
    outputs, final = layer(x, units, state)
    weights = [
        [*(w.detach().numpy() for w in direction), layer.peepholes[k][i].detach().numpy()]
        for k, holder in enumerate(layer.layers)
        if isinstance(holder, nn.RNNBase)
        for i, direction in enumerate(holder.all_weights)
    ]
    for row, length in enumerate(lengths):
        below, finals = x[row, :length].detach().numpy(), []
        for k in range(depth):
            states = []
            for i in range(layer.directions):
                n = k * layer.directions + i
                order = slice(None, None, -1 if i else 1)
                forward, last = peephole_row(below[order], state[n, row].detach().numpy(), weights[n])
                states.append(forward[order])
                finals.append(last)
            below = np.concatenate(states, 1)
        np.testing.assert_allclose(outputs[row, :length].detach().numpy(), below, atol=EXACT)
        np.testing.assert_allclose(final[:, row].detach().numpy(), np.stack(finals), atol=EXACT)
        assert not outputs[row, length:].any()


def test_peepholes_gradient_by_finite_differences() -> None:
    torch.manual_seed(0)
    layer = Recurrent("peephole", D_IN, 2, bidirectional=True).double()
    x, lengths, state = batch(layer, [3, 1])
    assert torch.autograd.gradcheck(lambda *_: layer(x, lengths, state), [x, state, *layer.parameters()])


@given(st.sampled_from(list(CELLS)), rows, depths, st.booleans(), seeds)
def test_a_batch_equals_its_rows_one_by_one(
    name: CellName, lengths: list[int], depth: int, bidirectional: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = Recurrent(name, D_IN, H, layers=depth, bidirectional=bidirectional).double()
    x, units, state = batch(layer, lengths)
    outputs, final = layer(x, units, state)
    for row, length in enumerate(lengths):
        alone, last = layer(x[row : row + 1, :length], units[row : row + 1], state[:, row : row + 1])
        torch.testing.assert_close(outputs[row, :length], alone[0], atol=EXACT, rtol=0)
        torch.testing.assert_close(final[:, row], last[:, 0], atol=EXACT, rtol=0)


@pytest.mark.parametrize("name", CELLS)
def test_padding_changes_nothing(name: CellName) -> None:
    torch.manual_seed(0)
    layer = Recurrent(name, D_IN, H, layers=2, bidirectional=True).double()
    x, lengths, state = batch(layer, [6, 2])
    other = x.detach().clone()
    other[1, 2:] = 9.0
    outputs, final = layer(x, lengths, state)
    for a, b in zip((outputs, final), layer(other, lengths, state), strict=True):
        assert torch.equal(a, b)
    assert not outputs[1, 2:].any()
    (gradient,) = torch.autograd.grad(outputs.sum() + final.sum(), x)
    assert not gradient[1, 2:].any()
    assert gradient[1, :2].all()


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("name", CELLS)
def test_a_carried_state_continues_the_sequence(name: CellName, depth: int) -> None:
    torch.manual_seed(0)
    layer = Recurrent(name, D_IN, H, layers=depth).double()
    x, _, state = batch(layer, [7, 7, 7])
    whole, final = layer(x, torch.tensor([7, 6, 5]), state)
    first, carried = layer(x[:, :4], torch.tensor([4, 4, 4]), state)
    second, last = layer(x[:, 4:], torch.tensor([3, 2, 1]), carried)
    torch.testing.assert_close(torch.cat((first, second), 1), whole, atol=EXACT, rtol=0)
    torch.testing.assert_close(last, final, atol=EXACT, rtol=0)


@pytest.mark.parametrize("name", CELLS)
def test_both_directions_equal_two_networks_of_one_direction(name: CellName) -> None:
    torch.manual_seed(0)
    both = Recurrent(name, D_IN, H, bidirectional=True).double()
    ahead, back = (Recurrent(name, D_IN, H).double() for _ in range(2))
    for suffix, one in (("_l0", ahead), ("_l0_reverse", back)):
        holder = both.layers[0].state_dict()
        one.layers[0].load_state_dict({n: holder[n.replace("_l0", suffix)] for n in one.layers[0].state_dict()})
    for peepholes in both.peepholes:
        ahead.peepholes[0], back.peepholes[0] = (nn.Parameter(p[None].detach()) for p in peepholes)
    x, lengths, state = batch(both, [5, 5])
    outputs, final = both(x, lengths, state)
    (a, a_final), (b, b_final) = ahead(x, lengths, state[:1]), back(x.flip(1), lengths, state[1:])
    torch.testing.assert_close(outputs, torch.cat((a, b.flip(1)), -1), atol=EXACT, rtol=0)
    torch.testing.assert_close(final, torch.cat((a_final, b_final)), atol=EXACT, rtol=0)


@pytest.mark.parametrize("name", CELLS)
def test_the_default_state_is_zero(name: CellName) -> None:
    layer = Recurrent(name, D_IN, H, layers=2).double()
    x, lengths, state = batch(layer, [4, 2])
    for a, b in zip(layer(x, lengths), layer(x, lengths, torch.zeros_like(state)), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", CELLS)
def test_bf16_matrix_products_stay_close(name: CellName) -> None:
    torch.manual_seed(0)
    layer, x, lengths = Recurrent(name, 8, 16, layers=2, bidirectional=True), torch.randn(3, 5, 8), torch.tensor([5, 3, 1])
    with torch.autocast("cpu", torch.bfloat16):
        rough = layer(x, lengths)
    for a, b in zip(rough, layer(x, lengths), strict=True):
        torch.testing.assert_close(a, b, atol=2e-2, rtol=0)
