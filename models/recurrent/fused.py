"""A GRU layer for CPUs; each step is one matrix product and one compiled kernel."""

from typing import Any

import torch
from torch import Tensor

from models.cpu.memory import flat
from models.recurrence import column_sums
from models.recurrent.gru_kernels import backward_step, forward_step


class FusedGRURecurrence(torch.autograd.Function):
    """`models.recurrence.GRURecurrence` with the kernels of `models.recurrent.gru_kernels`.

    apply(dtype, inputs [T, D, B, 3H], state [D, B, H], weight [D, 3H, H], bias [D, 3H], lengths [B]) -> states [T, D, B, H].
    Matrix products, the inputs and their gradient are in `dtype`; the rest is float32. From its length on, a row keeps its state.
    """

    @staticmethod
    def forward(  # noqa: D102 - see the class
        ctx: Any, dtype: torch.dtype, inputs: Tensor, state: Tensor, weight: Tensor, bias: Tensor, lengths: Tensor
    ) -> Tensor:
        steps, directions, batch, size = shape = (*inputs.shape[:3], state.shape[-1])
        inputs, matrix = inputs.to(dtype).contiguous(), weight.transpose(1, 2).to(dtype)
        states = state.new_empty(steps + 1, directions, batch, size)
        before = state.new_empty(directions, steps, batch, size, dtype=dtype)
        gates, recurrent = state.new_empty(steps, directions, batch, 4 * size), inputs.new_empty(directions, batch, 3 * size)
        states[0] = state
        before[:, 0] = state
        arrays = [flat(tensor) for tensor in (inputs, lengths, recurrent, bias, states, gates, before)]
        for t, previous in enumerate(before.unbind(1)):
            torch.bmm(previous, matrix, out=recurrent)
            forward_step(t, shape, *arrays)
        ctx.save_for_backward(weight, before, states, gates, lengths)
        return states[1:]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102 - see the class
        weight, before, states, gates, lengths = ctx.saved_tensors
        steps, directions, batch, size = shape = tuple(grad.shape)
        matrix = weight.to(before.dtype)
        d_inputs = before.new_empty(steps, directions, batch, 3 * size)
        d_recurrent = before.new_empty(directions, steps, batch, 3 * size)
        carried, through_matrix = torch.zeros_like(states[0]), before.new_zeros(directions, batch, size)
        tensors = (grad.contiguous(), lengths, carried, through_matrix, states, gates, d_inputs, d_recurrent)
        arrays = [flat(tensor) for tensor in tensors]
        for t in range(steps - 1, -1, -1):
            backward_step(t, shape, *arrays)
            torch.bmm(d_recurrent[:, t], matrix, out=through_matrix)
        rows = d_recurrent.flatten(1, 2)  # [D, T * B, 3H]
        d_weight = torch.bmm(rows.transpose(1, 2), before.flatten(1, 2)).to(weight.dtype)
        return None, d_inputs, carried + through_matrix, d_weight, column_sums(rows).to(weight.dtype), None
