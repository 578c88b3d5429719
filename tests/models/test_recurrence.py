"""The hand-written recurrences compute what torch's layers and autograd compute, values and gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.recurrence import GRURecurrence, recur
from models.recurrent import RaggedGRU, length_mask
from models.translator import Decoder

EXACT = 1e-10  # float64


def packed(layer: RaggedGRU, x: Tensor, lengths: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """The same layer by torch."""
    rows = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    outputs, final = layer.gru(rows, state)
    return pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])[0], final


def gradients(outputs: tuple[Tensor, ...], inputs: list[Tensor], seed: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    loss = sum((o * torch.randn(o.shape, generator=generator, dtype=o.dtype)).sum() for o in outputs)
    return torch.autograd.grad(loss, inputs)


@given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.booleans(), st.integers(0, 1000))
def test_ragged_gru_equals_torchs_layer(lengths: list[int], bidirectional: bool, seed: int) -> None:
    torch.manual_seed(seed)
    layer = RaggedGRU(3, 4, bidirectional=bidirectional).double()
    rows = torch.tensor(lengths)
    x = torch.randn(len(lengths), max(lengths), 3, dtype=torch.float64, requires_grad=True)
    state = torch.randn(2 if bidirectional else 1, len(lengths), 4, dtype=torch.float64, requires_grad=True)
    inputs = [x, state, *layer.parameters()]
    ours, theirs = layer(x, rows, state), packed(layer, x, rows, state)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=EXACT, rtol=0)
    for a, b in zip(gradients(ours, inputs, seed), gradients(theirs, inputs, seed), strict=True):
        torch.testing.assert_close(a, b, atol=EXACT, rtol=0)


def test_padding_changes_nothing() -> None:
    layer, x, lengths = RaggedGRU(3, 4, bidirectional=True), torch.randn(2, 6, 3), torch.tensor([6, 2])
    outputs, final = layer(x, lengths)
    x[1, 2:] = torch.nan
    again, final_again = layer(x.nan_to_num(9.0), lengths)
    torch.testing.assert_close(outputs, again)
    torch.testing.assert_close(final, final_again)
    assert not outputs[1, 2:].any()


def stepwise(decoder: Decoder, previous: Tensor, state: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
    """Teacher forcing by the equations of `Decoder.step`, left to autograd."""
    embedded = decoder.embedding(previous)
    keys, states, contexts = decoder.attention.keys(memory), [], []
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
    layer, x, lengths = RaggedGRU(8, 16), torch.randn(3, length, 8), torch.full((3,), length)
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
