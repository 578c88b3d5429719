"""What the tests ask of an attention, and the whole of what has to be the same where two answers are."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.recurrent.ragged import length_mask

EXACT = {"atol": 1e-12, "rtol": 0.0}  # float64


def random(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def ragged(lengths: Sequence[int], size: int) -> tuple[Tensor, Tensor]:
    """A memory [B, S, size] and its mask [B, S]."""
    return random(len(lengths), max(lengths), size), length_mask(torch.tensor(lengths), max(lengths))


def other_padding(memory: Tensor, mask: Tensor) -> Tensor:
    """The same memory with something else, and large, at its padding."""
    return torch.where(mask[:, :, None], memory, 100 * torch.randn_like(memory)).detach().requires_grad_()


def ask(attention: nn.Module, query: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    return attention(query, *attention.prepare(memory), mask)


def gradients(outputs: Sequence[Tensor], inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Those of a random loss, the same one for all outputs of these shapes."""
    generator = torch.Generator().manual_seed(1)
    factors = [torch.randn(o.shape, generator=generator, dtype=o.dtype) for o in outputs]
    loss = sum((o * f).sum() for o, f in zip(outputs, factors, strict=True))
    return torch.autograd.grad(loss, inputs, retain_graph=True)


def assert_same(
    ours: Sequence[Tensor], theirs: Sequence[Tensor], our_inputs: Sequence[Tensor] = (), their_inputs: Sequence[Tensor] = ()
) -> None:
    """The outputs are equal, and so are the gradients with respect to the inputs, if there are any."""
    torch.testing.assert_close(tuple(ours), tuple(theirs), **EXACT)
    if our_inputs:
        torch.testing.assert_close(gradients(ours, our_inputs), gradients(theirs, their_inputs), **EXACT)
