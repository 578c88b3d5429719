"""Helpers of the attention tests: random inputs, and comparison of outputs and gradients."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from models.attention.family import ATTENTIONS
from models.attention.interface import Attention
from models.names import AttentionName
from models.recurrent.ragged import length_mask

assert_close = partial(torch.testing.assert_close, atol=1e-12, rtol=0.0)  # float64


def random(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def ragged(lengths: Sequence[int], size: int) -> tuple[Tensor, Tensor]:
    """A memory [B, S, size] and its mask [B, S]."""
    return random(len(lengths), max(lengths), size), length_mask(torch.tensor(lengths), max(lengths))


def other_padding(memory: Tensor, mask: Tensor) -> Tensor:
    """The same memory with large random values at its padding."""
    return torch.where(mask[:, :, None], memory, 100 * torch.randn_like(memory)).detach().requires_grad_()


def make_attention(name: AttentionName, *sizes: int) -> Attention:
    attention = ATTENTIONS[name](*sizes)
    assert isinstance(attention, nn.Module)
    return attention.double()


def weights_of(attention: Attention) -> dict[str, nn.Parameter]:
    assert isinstance(attention, nn.Module)
    return dict(attention.named_parameters())


def ask(attention: Attention, query: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    return attention(query, *attention.prepare(memory), mask)


def gradients(outputs: Sequence[Tensor], inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Gradients of a random loss, which is the same for all outputs of these shapes."""
    generator = torch.Generator().manual_seed(1)
    factors = [torch.randn(o.shape, generator=generator, dtype=o.dtype) for o in outputs]
    loss = torch.stack([(o * f).sum() for o, f in zip(outputs, factors, strict=True)]).sum()
    return torch.autograd.grad(loss, inputs, retain_graph=True)


def assert_same(
    ours: Sequence[Tensor], theirs: Sequence[Tensor], our_inputs: Sequence[Tensor] = (), their_inputs: Sequence[Tensor] = ()
) -> None:
    """Assert equal outputs and, if inputs are given, equal gradients with respect to them."""
    assert_close(tuple(ours), tuple(theirs))
    if our_inputs:
        assert_close(gradients(ours, our_inputs), gradients(theirs, their_inputs))
