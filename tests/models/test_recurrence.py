"""The hand-written recurrences compute what autograd computes, values and gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from models.recurrence import GRURecurrence, recur
from models.recurrent.layer import Recurrent
from models.recurrent.ragged import length_mask
from models.translator import Decoder

EXACT = 1e-10  # float64


def gradients(outputs: tuple[Tensor, ...], inputs: list[Tensor], seed: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    loss = sum((o * torch.randn(o.shape, generator=generator, dtype=o.dtype)).sum() for o in outputs)
    return torch.autograd.grad(loss, inputs)


def stepwise(decoder: Decoder, previous: Tensor, state: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
    """Teacher forcing by the equations of `Decoder.step`, left to autograd."""
    embedded = decoder.embedding(previous)
    (keys, _), states, contexts = decoder.attention.prepare(memory), [], []
    for x in decoder.from_embedding(embedded).unbind(1):
        state, context, _ = decoder.step(x, state, keys, memory, mask)
        states.append(state)
        contexts.append(context)
    return decoder.deep_output(torch.stack(states, 1), embedded, torch.stack(contexts, 1))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(1, 6), st.integers(0, 1000))
def test_teacher_forcing_equals_the_steps(lengths: list[int], steps: int, seed: int) -> None:
    torch.manual_seed(seed)
    decoder = Decoder(nn.Embedding(11, 5), 4, 3, 0.0).double()
    rows, size = torch.tensor(lengths), len(lengths)
    state = torch.randn(size, 4, dtype=torch.float64, requires_grad=True)
    memory = torch.randn(size, max(lengths), 8, dtype=torch.float64, requires_grad=True)
    arguments = (torch.randint(11, (size, steps)), state, memory, length_mask(rows, max(lengths)))
    inputs = [state, memory, *(p for n, p in decoder.named_parameters() if n != "bias")]
    ours, theirs = decoder(*arguments), stepwise(decoder, *arguments)
    torch.testing.assert_close(ours, theirs, atol=EXACT, rtol=0)
    for a, b in zip(gradients((ours,), inputs, seed), gradients((theirs,), inputs, seed), strict=True):
        torch.testing.assert_close(a, b, atol=EXACT, rtol=0)


@pytest.mark.parametrize("length", [1, 5])
def test_bf16_matrix_products_stay_close(length: int) -> None:
    torch.manual_seed(0)
    layer, x, lengths = Recurrent("gru", 8, 16), torch.randn(3, length, 8), torch.full((3,), length)
    exact, _ = layer(x, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = layer(x, lengths)
    torch.testing.assert_close(rough.float(), exact, atol=2e-2, rtol=0)
    assert rough.dtype == torch.float32


def test_gradient_of_the_recurrence_by_finite_differences() -> None:
    torch.manual_seed(0)
    shapes = [(3, 2, 2, 6), (2, 2, 2), (2, 6, 2), (2, 6)]
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    mask = torch.tensor([[1, 1], [1, 1], [1, 0]], dtype=torch.bool)[:, None, :, None].expand(-1, 2, -1, -1)
    assert torch.autograd.gradcheck(lambda *tensors: recur(GRURecurrence, torch.float64, *tensors, mask), inputs)
