"""An affine map in int8 equals the exact one up to rounding, row by row, and so does a decoder's step."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from models.names import CellName, ContextName
from models.recurrent.affine import MakeAffine, exact
from models.translation.decoder import Decoder
from models.translation.int8 import LEVELS, WEIGHT_LEVELS, Int8Affine, int8

sizes = st.integers(1, 12)


@given(rows=sizes, inputs=sizes, outputs=sizes, bound=st.floats(0.01, 100.0), seed=st.integers(0, 2**31))
def test_the_error_is_bounded_by_the_rounding(rows: int, inputs: int, outputs: int, bound: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight, bias = torch.randn(outputs, inputs, generator=generator), torch.randn(outputs, generator=generator)
    x = bound * (2 * torch.rand(rows, inputs, generator=generator) - 1)
    error = (int8(weight, bias, bound)(x) - functional.linear(x, weight, bias)).abs()
    half_a_step = bound / LEVELS / 2, weight.abs().amax(1) / WEIGHT_LEVELS / 2  # of x and of each row of W
    allowed = half_a_step[0] * weight.abs().sum(1) + half_a_step[1] * (x.abs() + half_a_step[0]).sum(1, keepdim=True)
    assert (error <= allowed * 1.001 + 1e-5 * bound).all()


@given(outputs=sizes, inputs=sizes, scale=st.floats(1e-6, 1e6), seed=st.integers(0, 2**31))
def test_no_two_products_of_bytes_overflow_16_bits(outputs: int, inputs: int, scale: float, seed: int) -> None:
    weight = scale * torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(seed))
    layer = int8(weight, torch.zeros(outputs), 1.0)
    assert isinstance(layer, Int8Affine)
    magnitude = layer.weight.to(torch.int32).abs()
    assert 2 * 255 * int(magnitude.max()) <= 2**15 - 1
    assert (magnitude.amax(0) == WEIGHT_LEVELS).all()  # each row of W uses all levels


def test_values_on_the_grid_are_exact() -> None:
    weight, bias = torch.tensor([[64.0, -3.0], [0.0, 64.0]]), torch.tensor([0.5, -0.5])
    x = torch.tensor([[1.0, -1.0], [0.0, 5 / LEVELS]])
    torch.testing.assert_close(int8(weight, bias, 1.0)(x), functional.linear(x, weight, bias))


def test_a_row_of_zeros_gives_the_bias() -> None:
    assert int8(torch.zeros(2, 3), torch.tensor([1.0, 2.0]), 1.0)(torch.ones(1, 3)).tolist() == [[1.0, 2.0]]


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    layer, x = int8(torch.randn(5, 7), torch.zeros(5), 1.0), torch.randn(4, 7).clamp(-1, 1)
    torch.testing.assert_close(layer(x)[2], layer(x[2:3])[0], atol=1e-6, rtol=0)


def test_inputs_beyond_the_bound_are_clipped() -> None:
    layer = int8(torch.eye(2), torch.zeros(2), 1.0)
    torch.testing.assert_close(layer(torch.tensor([[3.0, -0.5]])), torch.tensor([[1.0, -0.5]]), atol=0.01, rtol=0)


@pytest.mark.parametrize("make", [exact, int8])
def test_unbounded_inputs_stay_exact(make: MakeAffine) -> None:
    weight, bias, x = torch.randn(3, 4), torch.randn(3), 1000 * torch.randn(2, 4)
    assert not isinstance(make(weight, bias, math.inf), Int8Affine)
    assert torch.equal(make(weight, bias, math.inf)(x), functional.linear(x, weight, bias))


@pytest.mark.parametrize("large", [0.3, 4.0])  # embeddings within the bound of the states, and beyond it
@pytest.mark.parametrize(
    "way", [("bahdanau", "gru", False), ("general", "lstm", True), ("fixed", "rnn", False), ("multihead", "gru", False)]
)
def test_a_step_is_exact_up_to_its_rounding(way: tuple[ContextName, CellName, bool], large: float) -> None:
    torch.manual_seed(0)
    attention, cell, fed = way
    embedding = nn.Embedding(20, 8)
    nn.init.uniform_(embedding.weight, -large, large)
    sizes: dict[str, Any] = {"hidden_size": 16, "layers": 2, "memory_size": 16, "attention_size": 8, "heads": 2}
    chances: dict[str, Any] = {"dropout": 0.0, "weight_dropout": 0.0}
    decoder = Decoder(embedding, cell=cell, attention=attention, input_feeding=fed, **sizes, **chances).eval()
    assert isinstance(decoder.attention, nn.Module)
    with torch.no_grad():
        for weight in decoder.attention.parameters():
            weight.mul_(5)  # a context beyond the bound of the memory, if it is unbounded
        memory = decoder.prepare(2 * torch.rand(3, 5, 16) - 1, torch.ones(3, 5, dtype=torch.bool))
        state = decoder.begin(2 * torch.rand(3, 2 * decoder.recurrent.state_size) - 1)[:, None]
        embedded = embedding(torch.randint(20, (3, 1)))
        ours, theirs = (step(embedded, state) for step in (decoder.stepper(memory, decoder.maps(int8)), decoder.stepper(memory)))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=0.05, rtol=0)
