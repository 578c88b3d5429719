"""The decoder's fast paths equal its steps, values and gradients."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from models.attention.family import ATTENTIONS
from models.names import CellName, ContextName
from models.recurrent.cells import CELLS
from models.recurrent.ragged import length_mask
from models.translation.decoder import Decoder, Memory

EXACT = 1e-10  # float64
D, H, M, V = 5, 4, 4, 11
CONTEXTS: list[ContextName] = [*ATTENTIONS, "fixed"]


def decoder_of(attention: ContextName = "bahdanau", cell: CellName = "gru", layers: int = 1, **options: Any) -> Decoder:
    torch.manual_seed(0)
    sizes = {"hidden_size": H, "memory_size": M, "attention_size": 6, "heads": 2, "layers": layers}
    chosen: dict[str, Any] = {**sizes, "input_feeding": False, "dropout": 0.0, "weight_dropout": 0.0, **options}
    return Decoder(nn.Embedding(V, D), cell=cell, attention=attention, **chosen).double()


def inputs_of(decoder: Decoder, lengths: list[int], steps: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Units read, first state of the layers, annotations and their mask."""
    torch.manual_seed(seed)
    size, layers = len(lengths), len(decoder.recurrent.layers)
    state = torch.randn(size, layers * decoder.recurrent.state_size, dtype=torch.float64, requires_grad=True)
    memory = torch.randn(size, max(lengths), M, dtype=torch.float64, requires_grad=True)
    return torch.randint(V, (size, steps)), state, memory, length_mask(torch.tensor(lengths), max(lengths))


def stepwise(decoder: Decoder, previous: Tensor, state: Tensor, memory: Memory) -> Tensor:
    """Teacher forcing by the steps of the search, with autograd."""
    step, outputs = decoder.stepper(memory), []
    now = decoder.begin(state)[:, None]
    for latest in previous.unbind(1):
        output, now, _ = step(decoder.embedding(latest)[:, None], now)
        outputs.append(output)
    return torch.cat(outputs, 1)


def gradients(outputs: Tensor, inputs: list[Tensor], seed: int) -> tuple[Tensor | None, ...]:
    weights = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(seed), dtype=outputs.dtype)
    return torch.autograd.grad((outputs * weights).sum(), inputs, allow_unused=True)


def assert_fast_equals_stepwise(decoder: Decoder, lengths: list[int], steps: int, seed: int) -> None:
    previous, state, memory, mask = inputs_of(decoder, lengths, steps, seed)
    inputs = [state, memory, *(p for n, p in decoder.named_parameters() if n != "bias")]
    ours = decoder(previous, decoder.begin(state), decoder.prepare(memory, mask))
    theirs = stepwise(decoder, previous, state, decoder.prepare(memory, mask))
    torch.testing.assert_close(ours, theirs, atol=EXACT, rtol=0)
    for a, b in zip(gradients(ours, inputs, seed), gradients(theirs, inputs, seed), strict=True):
        torch.testing.assert_close(a, b, atol=EXACT, rtol=0)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(1, 6), st.integers(0, 1000))
def test_the_handwritten_recurrence_equals_the_steps(lengths: list[int], steps: int, seed: int) -> None:
    assert_fast_equals_stepwise(decoder_of(), lengths, steps, seed)


@pytest.mark.parametrize("attention", CONTEXTS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_teacher_forcing_equals_the_steps(attention: ContextName, cell: CellName, layers: int) -> None:
    assert_fast_equals_stepwise(decoder_of(attention, cell, layers), [3, 1, 5], 4, seed=1)


@pytest.mark.parametrize("attention", ["dot", "general", "concat", "scaled_dot", "multihead"])
def test_input_feeding_equals_the_steps(attention: ContextName) -> None:
    fed = decoder_of(attention, "lstm", 2, input_feeding=True)
    assert_fast_equals_stepwise(fed, [3, 1, 5], 4, seed=1)
    assert fed.recurrent.layers[0].input_size == 2 * D


@pytest.mark.parametrize("attention", CONTEXTS)
@pytest.mark.parametrize("cell", ["lstm", "peephole", "gru"])
def test_bf16_matrix_products_stay_close(attention: ContextName, cell: CellName) -> None:
    decoder = decoder_of(attention, cell).float()
    previous, state, memory, mask = inputs_of(decoder, [3, 1, 5], 4, seed=6)
    state, memory = state.float(), memory.float()
    exact = decoder(previous, state, decoder.prepare(memory, mask))
    with torch.autocast("cpu", torch.bfloat16):
        rough = decoder(previous, state.bfloat16(), decoder.prepare(memory, mask))
    torch.testing.assert_close(rough.float(), exact, atol=3e-2, rtol=0)


@pytest.mark.parametrize("attention", CONTEXTS)
def test_hypotheses_of_one_source_are_independent(attention: ContextName) -> None:
    decoder = decoder_of(attention)
    _, state, memory, mask = inputs_of(decoder, [3, 5], 1, seed=2)
    step = decoder.stepper(decoder.prepare(memory, mask))
    embedded, states = torch.randn(2, 3, D, dtype=torch.float64), torch.stack([state, 2 * state, -state], 1)
    together = step(embedded, states)
    for k in range(3):
        for all_of_them, alone in zip(together, step(embedded[:, [k]], states[:, [k]]), strict=True):
            torch.testing.assert_close(all_of_them[:, [k]], alone, atol=EXACT, rtol=0)


def test_a_fixed_vector_is_the_encoders_final_states() -> None:
    decoder = decoder_of("fixed")
    _, _, memory, mask = inputs_of(decoder, [3, 5], 1, seed=3)
    context, weights = decoder.attention(torch.zeros(2, 1, H).double(), *decoder.prepare(memory, mask))
    half = M // 2
    expected = [torch.cat((memory[i, n - 1, :half], memory[i, 0, half:])) for i, n in enumerate([3, 5])]
    torch.testing.assert_close(context[:, 0], torch.stack(expected))
    assert not weights.any()


def test_scheduled_sampling_with_a_share_of_1_is_teacher_forcing() -> None:
    decoder = decoder_of("general", "lstm")
    previous, state, memory, mask = inputs_of(decoder, [3, 1, 5], 6, seed=4)
    arguments = (previous, decoder.begin(state), decoder.prepare(memory, mask))
    torch.testing.assert_close(decoder.sampled(*arguments, 1.0), decoder(*arguments), atol=EXACT, rtol=0)


def test_without_the_teacher_the_decoder_reads_its_own_units() -> None:
    decoder = decoder_of()
    previous, state, memory, mask = inputs_of(decoder, [3, 1, 5], 6, seed=5)
    with torch.no_grad():
        decoder.bias.fill_(-1e4)
        decoder.bias[7] = 1e4  # the only unit that it produces
    arguments = (decoder.begin(state), decoder.prepare(memory, mask))
    own = torch.cat((previous[:, :1], torch.full((3, 5), 7)), 1)
    torch.testing.assert_close(decoder.sampled(previous, *arguments, 0.0), decoder(own, *arguments), atol=EXACT, rtol=0)
    mixed = decoder.sampled(previous.expand(3, -1), *arguments, 0.5)
    assert not torch.allclose(mixed, decoder(previous, *arguments))
    assert not torch.allclose(mixed, decoder(own, *arguments))


@pytest.mark.parametrize("attention", ["bahdanau", "fixed"])
def test_early_attention_rejects_input_feeding(attention: ContextName) -> None:
    with pytest.raises(ValueError, match=f"whose query is the state after the step, not {attention}"):
        decoder_of(attention, input_feeding=True)
