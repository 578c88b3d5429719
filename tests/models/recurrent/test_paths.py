"""Every implementation of a layer equals the equations: outputs, final state and gradients."""

from collections.abc import Iterable

import pytest
import torch
from equality import assert_same
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from models.names import CellName
from models.recurrent.cells import CELLS
from models.recurrent.layer import Recurrent
from models.recurrent.paths import packed, padded, run, unrolled
from models.recurrent.ragged import length_mask, turn

FUSED = {name: cell.fused for name, cell in CELLS.items() if cell.fused}
Case = tuple[Tensor, Tensor, Tensor, list[Tensor]]  # x, lengths, state and weights

rows = st.lists(st.integers(1, 6), min_size=1, max_size=4)


def case(name: CellName, lengths: list[int], directions: int, dtype: torch.dtype = torch.float64) -> Case:
    layer = Recurrent(name, 3, 4, bidirectional=directions == 2).to(dtype)
    x = torch.randn(len(lengths), max(lengths), 3, dtype=dtype, requires_grad=True)
    state = torch.randn(directions, len(lengths), layer.state_size, dtype=dtype, requires_grad=True)
    return x, torch.tensor(lengths), state, layer.weights(0)


def by_equations(name: CellName, x: Tensor, lengths: Tensor, state: Tensor, weights: list[Tensor]) -> tuple[Tensor, Tensor]:
    count, outputs, finals = len(weights) // len(state), [], []
    for i, first in enumerate(state):
        view = turn(x, lengths) if i else x
        states, final = unrolled(CELLS[name], view, lengths, first, weights[i * count : (i + 1) * count])
        outputs.append(turn(states, lengths) if i else states)
        finals.append(final)
    return torch.cat(outputs, -1) * length_mask(lengths, x.shape[1])[:, :, None], torch.stack(finals)


@given(st.sampled_from(list(CELLS)), rows, st.integers(1, 2), st.integers(0, 1000))
def test_the_chosen_path_equals_the_equations(name: CellName, lengths: list[int], directions: int, seed: int) -> None:
    torch.manual_seed(seed)
    x, units, state, weights = case(name, lengths, directions)
    inputs = [x, state, *weights]
    assert_same(run(name, x, units, state, weights), inputs, by_equations(name, x, units, state, weights), inputs)


@given(st.sampled_from(list(FUSED)), rows, st.integers(1, 2), st.integers(0, 1000))
def test_a_packed_sequence_equals_the_equations(name: CellName, lengths: list[int], directions: int, seed: int) -> None:
    torch.manual_seed(seed)
    x, units, state, weights = case(name, lengths, directions)
    inputs, ours = [x, state, *weights], packed(FUSED[name], x, units, state, weights)
    assert_same(ours, inputs, by_equations(name, x, units, state, weights), inputs)


def squares(tensors: Iterable[Tensor]) -> Tensor:
    return torch.stack([tensor.square().sum() for tensor in tensors]).sum()


@pytest.mark.parametrize("name", CELLS)
def test_float32_equals_float64(name: CellName) -> None:
    """In float32, some cells run other code on a CPU."""
    torch.manual_seed(0)
    x, units, state, weights = case(name, [9, 4, 1, 7], 2)
    singles = [tensor.detach().float().requires_grad_() for tensor in (x, state, *weights)]
    single = run(name, singles[0], units, singles[1], singles[2:])
    double = run(name, x, units, state, weights)
    sides = zip(
        (*single, *torch.autograd.grad(squares(single), singles)),
        (*double, *torch.autograd.grad(squares(double), [x, state, *weights])),
        strict=True,
    )
    for a, b in sides:
        torch.testing.assert_close(a, b.float(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_an_lstm_keeps_its_cell_through_any_padding(dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(0)
    x, _, state, weights = case("lstm", [1000], 1, dtype)
    lengths = torch.tensor([2])
    near, far = (padded(torch.lstm, x[:, :longest], lengths, state[0], weights)[1] for longest in (2, 1000))
    torch.testing.assert_close(near, far, atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", ["lstm", "peephole"])
def test_small_updates_accumulate_under_autocast(name: CellName) -> None:
    """C_t = C_{t-1} + 0.001: in bf16 the sum would stop at 0.5."""
    layer = Recurrent(name, 1, 1)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    layer.get_parameter("layers.0.bias_ih_l0").data[:3] = torch.tensor([20.0, 20.0, 0.001])  # input and forget gate open
    with torch.autocast("cpu", torch.bfloat16):
        _, final = layer(torch.zeros(1, 1000, 1), torch.tensor([1000]))
    torch.testing.assert_close(final[0, 0, 1].item(), 1.0, atol=1e-2, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("name", CELLS)
def test_a_gpu_computes_the_same(name: CellName, directions: int) -> None:
    x, units, state, weights = case(name, [6, 1, 3], directions)
    inputs = [x, state, *weights]
    there = [tensor.detach().cuda().requires_grad_() for tensor in inputs]
    outputs = run(name, there[0], units.cuda(), there[1], there[2:])
    assert_same([output.cpu() for output in outputs], there, run(name, x, units, state, weights), inputs)
