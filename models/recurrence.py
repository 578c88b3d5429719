"""The recurrences that take most of the training time on a CPU, with handwritten forward and backward passes.

Autograd would process the loop operation by operation, accumulate each weight's gradient at every step, and copy whole sequences
to slice them. In the handwritten backward pass (Werbos 1990, "Backpropagation through time"), the loop carries only the gradient
of the state; each weight's gradient is one matrix product over all steps, after the loop. Tests prove both loops equal to
autograd through the equations. Matrix products run in autocast's precision if it is enabled, all else in float32.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_Record = list[Tensor]  # one tensor for each step
Gates = tuple[Tensor, Tensor, Tensor, Tensor]  # r_t, z_t, n_t and U_n h_{t-1}


def gru_gates(inputs: Tensor, recurrent: Tensor, state: Tensor, padding: Tensor | None = None) -> tuple[Tensor, Gates]:
    """One step of the GRU, h_t = (1 - z_t) * n_t + z_t * h_{t-1}; see models.recurrent.cells.gru.

    Args:
        inputs: the gates' inputs from x_t, [..., 3H] in the order r, z, n.
        recurrent: the gates' inputs from h_{t-1}, [..., 3H].
        state: h_{t-1}, [..., H].
        padding: [..., 1], True for a row that keeps its state: there z_t = 1, and no gradient reaches the step's inputs.
    """
    size = state.shape[-1]
    reset, update = torch.sigmoid(inputs[..., : 2 * size] + recurrent[..., : 2 * size]).chunk(2, -1)
    if padding is not None:
        update = update.masked_fill(padding, 1.0)
    through = recurrent[..., 2 * size :]
    candidate = torch.tanh(torch.addcmul(inputs[..., 2 * size :], reset, through))
    return torch.lerp(candidate, state, update), (reset, update, candidate, through)


def gru_gates_backward(grad: Tensor, state: Tensor, gates: Gates, d_inputs: Tensor, d_recurrent: Tensor) -> Tensor:
    """Gradients of a step.

    Args:
        grad: of h_t, [..., H].
        state: h_{t-1}, [..., H].
        gates: from `gru_gates`.
        d_inputs: output for the gradient of `inputs`, [..., 3H].
        d_recurrent: output for the gradient of `recurrent`, [..., 3H], in the type of the matrix products.

    Returns:
        The part of `state`'s gradient that does not pass through `recurrent`.
    """
    reset, update, candidate, through = gates
    kept = grad * update
    d_update = kept * (state - candidate) * (1 - update)
    d_candidate = torch.ops.aten.tanh_backward(grad - kept, candidate)
    d_reset = torch.ops.aten.sigmoid_backward(d_candidate * through, reset)
    size = state.shape[-1]
    torch.cat((d_reset, d_update, d_candidate), -1, out=d_inputs)
    d_recurrent[..., : 2 * size] = d_inputs[..., : 2 * size]
    torch.mul(d_candidate, reset, out=d_recurrent[..., 2 * size :])
    return kept


def recur(recurrence: type[torch.autograd.Function], exact: torch.dtype, *tensors: Tensor) -> Any:
    """Apply one of the recurrences below: matrix products in autocast's type if it is enabled, all else in `exact`."""
    device = tensors[0].device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else exact
    with torch.autocast(device, enabled=False):
        apply: Callable[..., Any] = recurrence.apply
        return apply(dtype, *(t.to(exact) if t.is_floating_point() else t for t in tensors))


class GRURecurrence(torch.autograd.Function):
    """A GRU layer in D directions at once, with its gates' inputs already computed.

    recur(inputs [T, D, B, 3H], state [D, B, H], weight [D, 3H, H], bias [D, 3H], mask [T, D, B, 1]) -> states [T, D, B, H].
    Where the mask is False the state does not change.
    """

    @staticmethod
    def forward(  # noqa: D102 - see the class
        ctx: Any, dtype: torch.dtype, inputs: Tensor, state: Tensor, weight: Tensor, bias: Tensor, mask: Tensor
    ) -> Tensor:
        matrix, states, gates = weight.transpose(1, 2).to(dtype), [state], []
        before = state.new_empty(state.shape[0], len(inputs), *state.shape[1:], dtype=dtype)  # [D, T, B, H], h_{t-1}
        padding = None if bool(mask.all()) else ~mask
        for t, x in enumerate(inputs.unbind(0)):
            before[:, t] = state
            recurrent = torch.bmm(before[:, t], matrix) + bias[:, None]
            state, kept = gru_gates(x, recurrent, state, None if padding is None else padding[t])
            states.append(state)
            gates.append(kept)
        ctx.save_for_backward(weight, before)
        ctx.states, ctx.gates = states[:-1], gates
        return torch.stack(states[1:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102 - see the class
        weight, before = ctx.saved_tensors
        matrix, carried = weight.to(before.dtype), torch.zeros_like(grad[0])
        steps, directions, batch, size = grad.shape
        d_inputs = grad.new_empty(steps, directions, batch, 3 * size)
        d_recurrent = before.new_empty(directions, steps, batch, 3 * size)
        for t in range(steps - 1, -1, -1):
            d_rec = d_recurrent[:, t]
            carried = gru_gates_backward(grad[t] + carried, ctx.states[t], ctx.gates[t], d_inputs[t], d_rec)
            carried = carried + torch.bmm(d_rec, matrix)
        rows = d_recurrent.flatten(1, 2)  # [D, T * B, 3H]
        d_weight = torch.bmm(rows.transpose(1, 2), before.flatten(1, 2)).to(weight.dtype)
        return None, d_inputs, carried, d_weight, column_sums(rows).to(weight.dtype), None


def column_sums(rows: Tensor) -> Tensor:
    """The sum of the rows, [..., N, X] -> [..., X], as a matrix product, which needs no copy of them in a wider type."""
    return (rows.new_ones(*rows.shape[:-2], 1, rows.shape[-2]) @ rows).squeeze(-2)


class AttentiveGRURecurrence(torch.autograd.Function):
    """The decoder of models.translation.decoder under teacher forcing: Bahdanau attention and a GRU, T steps.

    recur(inputs [T, B, 3H], state [B, H], keys [B, S, A], memory [B, S, M], mask [B, S], energy [A],
    from_state [A + 3H, H], bias [A + 3H], from_context [3H, M]) -> states [T, B, H], contexts [T, B, M].
    """

    @staticmethod
    def forward(  # noqa: D102 - see the class
        ctx: Any,
        dtype: torch.dtype,
        inputs: Tensor,
        state: Tensor,
        keys: Tensor,
        memory: Tensor,
        mask: Tensor,
        energy: Tensor,
        from_state: Tensor,
        bias: Tensor,
        from_context: Tensor,
    ) -> tuple[Tensor, Tensor]:
        size = energy.shape[0]
        state_matrix, context_matrix, bias = from_state.t().to(dtype), from_context.t().to(dtype), bias.to(dtype)
        blocked = torch.zeros_like(mask, dtype=keys.dtype).masked_fill_(~mask, -torch.inf)
        states: list[Tensor] = [state]
        before = state.new_empty(len(inputs), *state.shape, dtype=dtype)  # [T, B, H], s_{t-1}
        hidden, weights, contexts, gates = _Record(), _Record(), _Record(), []
        for x, previous in zip(inputs.unbind(0), before.unbind(0), strict=True):
            projected = torch.addmm(bias, previous.copy_(state), state_matrix).to(state.dtype)  # [B, A + 3H]
            units = torch.tanh_(projected[:, None, :size] + keys)  # [B, S, A]
            alpha = torch.softmax(units @ energy + blocked, 1)  # [B, S]
            context = torch.bmm(alpha[:, None], memory)[:, 0]  # [B, M]
            gate_inputs = torch.mm(context.to(dtype), context_matrix) + x
            state, kept = gru_gates(gate_inputs, projected[:, size:], state)
            states.append(state)
            gates.append(kept)
            for record, value in zip((hidden, weights, contexts), (units, alpha, context), strict=True):
                record.append(value)
        stacked = torch.stack(contexts)
        ctx.save_for_backward(keys, memory, energy, from_state, from_context, before, stacked)
        ctx.states, ctx.hidden, ctx.weights, ctx.gates = states[:-1], hidden, weights, gates
        return torch.stack(states[1:]), stacked

    @staticmethod
    def backward(ctx: Any, d_states: Tensor, d_contexts: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102 - see the class
        keys, memory, energy, from_state, from_context, before, contexts = ctx.saved_tensors
        dtype, size, (steps, batch, _) = before.dtype, energy.shape[0], before.shape
        state_matrix, context_matrix = from_state.to(dtype), from_context.to(dtype)
        carried, d_keys, d_energy = torch.zeros_like(d_states[0]), torch.zeros_like(keys), torch.zeros_like(energy)
        d_inputs = d_states.new_empty(steps, batch, len(from_context))  # [T, B, 3H]
        d_projected = before.new_empty(steps, batch, len(from_state))  # [T, B, A + 3H]
        d_context = torch.empty_like(contexts)  # [T, B, M]
        for t in range(steps - 1, -1, -1):
            units, alpha, d_p = ctx.hidden[t], ctx.weights[t], d_projected[t]
            carried = gru_gates_backward(d_states[t] + carried, ctx.states[t], ctx.gates[t], d_inputs[t], d_p[:, size:])
            d_c = torch.add(d_contexts[t], torch.mm(d_inputs[t].to(dtype), context_matrix), out=d_context[t])
            d_alpha = torch.bmm(memory, d_c[:, :, None])[:, :, 0]  # [B, S]
            d_score = torch.ops.aten._softmax_backward_data(d_alpha, alpha, 1, alpha.dtype)
            d_energy += units.flatten(0, 1).t() @ d_score.flatten()
            d_units = torch.ops.aten.tanh_backward(d_score[:, :, None] * energy, units)  # [B, S, A]
            d_keys += d_units
            d_p[:, :size] = d_units.sum(1)
            carried = carried + torch.mm(d_p, state_matrix)
        d_memory = torch.bmm(torch.stack(ctx.weights, 2), d_context.transpose(0, 1))  # [B, S, T] x [B, T, M]
        rows = d_projected.flatten(0, 1)
        d_from_context = d_inputs.flatten(0, 1).t().to(dtype) @ contexts.flatten(0, 1).to(dtype)
        return (
            None,
            d_inputs,
            carried,
            d_keys,
            d_memory,
            None,
            d_energy,
            (rows.t() @ before.flatten(0, 1)).to(from_state.dtype),
            column_sums(rows).to(from_state.dtype),
            d_from_context.to(from_context.dtype),
        )
