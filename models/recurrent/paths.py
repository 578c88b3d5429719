"""Implementations of one layer. They compute the same; each is the fastest for some cell on some device.

Shapes, here and below: D directions, x [B, T, d], lengths [B], outputs [B, T, D * H], states [D, B, S] with S = H or, for an
LSTM, 2H. `weights` are W_ih, W_hh, b_ih, b_hh and any peepholes of a direction, followed by those of the next direction.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from models.cpu.lanes import LANES
from models.cpu.memory import takes_kernels
from models.recurrence import GRURecurrence, recur
from models.recurrent.cells import CELLS, Cell
from models.recurrent.ragged import last, length_mask, turn

Fused = Callable[..., tuple[Tensor, ...]]  # one of torch's functions, which returns outputs, h and for an LSTM C

HOLD = 1e4  # its sigmoid is 1, and that of its negative 0, in every type


def run(name: str, x: Tensor, lengths: Tensor, state: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Outputs, zero at the padding, and final state of a layer, by the fastest implementation."""
    cell = CELLS[name]
    if x.is_cuda and cell.fused is not None:
        return packed(cell.fused, x, lengths, state, weights)
    lengths = lengths.to(x.device)
    views = (x, turn(x, lengths)) if len(state) == 2 else (x,)
    count = len(weights) // len(state)
    each = [weights[i : i + count] for i in range(0, len(weights), count)]
    if name == "gru":
        outputs, final = by_hand(views, lengths, state, each)
    else:
        way = partial(unrolled, cell) if cell.fused is None else partial(padded, cell.fused)
        directions = [way(view, lengths, first, w) for view, first, w in zip(views, state, each, strict=True)]
        outputs, final = [o for o, _ in directions], torch.stack([f for _, f in directions])
    aligned = [outputs[0], *(turn(o, lengths) for o in outputs[1:])]
    return torch.cat(aligned, -1) * length_mask(lengths, x.shape[1])[:, :, None], final


def packed(fused: Fused, x: Tensor, lengths: Tensor, state: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Torch's fused function over a packed sequence. On a CPU the time of its backward pass grows with T squared."""
    rows = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    order, undo = rows.sorted_indices, rows.unsorted_indices
    if order is None or undo is None:  # never: enforce_sorted=False sets both
        raise AssertionError
    first = _parts(state[:, order], weights[1].shape[1])
    options = (True, 1, 0.0, torch.is_grad_enabled(), len(state) == 2)  # biases, layers, dropout, train, bidirectional
    outputs, *final = fused(rows.data, rows.batch_sizes, first, list(weights), *options)
    repacked = PackedSequence(outputs, rows.batch_sizes, order, undo)
    return pad_packed_sequence(repacked, batch_first=True, total_length=x.shape[1])[0], torch.cat(final, -1)[:, undo]


def padded(fused: Fused, x: Tensor, lengths: Tensor, state: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Torch's fused function for one direction, padding included, because it ignores lengths: [B, S] -> [B, T, H], [B, S].

    Without autocast, under which torch stores C in bf16, where 0.5 + 0.001 = 0.5: an LSTM would lose small updates.
    """
    exact, size = weights[0].dtype, weights[1].shape[1]
    x, state = x.to(exact), state.to(exact)
    if state.shape[1] > size:
        x, weights = _holding(x, lengths, weights)
    options = (True, 1, 0.0, torch.is_grad_enabled(), False, True)  # biases, layers, dropout, train, bidirectional, batch_first
    with torch.autocast(x.device.type, enabled=False):
        outputs, _, *cell = fused(x, _parts(state[None], size), list(weights), *options)
    return outputs, torch.cat((last(outputs, lengths), *(c[0] for c in cell)), -1)


def _holding(x: Tensor, lengths: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor]]:
    """Add an input to an LSTM that closes the input gate and opens the forget gate at the padding.

    There C_t = C_{t-1} exactly and no gradient leaves the step, so that the last C is that of the row's last unit.
    """
    w_ih, *others = weights
    padding = ~length_mask(lengths, x.shape[1])
    gates = w_ih.new_tensor([-1.0, 1.0, 0.0, 0.0]).repeat_interleave(len(w_ih) // 4)  # i, f, g, o
    return torch.cat((x, HOLD * padding[:, :, None]), -1), [torch.cat((w_ih, gates[:, None]), 1), *others]


def _parts(state: Tensor, size: int) -> Tensor | tuple[Tensor, ...]:
    """A state as torch expects it: h, or the pair of h and C."""
    parts = tuple(part.contiguous() for part in state.chunk(state.shape[-1] // size, -1))
    return parts if len(parts) > 1 else parts[0]


def by_hand(
    views: Sequence[Tensor], lengths: Tensor, state: Tensor, weights: Sequence[Sequence[Tensor]]
) -> tuple[Sequence[Tensor], Tensor]:
    """All directions of a GRU. `views` are the inputs of each direction, in its own order."""
    w_ih, w_hh, b_ih, b_hh = zip(*weights, strict=True)  # each: one tensor per direction
    each = [functional.linear(view.transpose(0, 1), w, b) for view, w, b in zip(views, w_ih, b_ih, strict=True)]
    inputs, w, b = torch.stack(each, 1), torch.stack(w_hh), torch.stack(b_hh)
    if fits_kernels(inputs, w):
        from models.recurrent.fused import FusedGRURecurrence  # importing Numba is slow

        with torch.autocast("cpu", enabled=False):
            apply: Callable[..., Tensor] = FusedGRURecurrence.apply
            states = apply(inputs.dtype, inputs, state.float(), w, b, lengths)
    else:
        mask = length_mask(lengths, views[0].shape[1]).t()[:, None, :, None].expand(-1, len(views), -1, -1)  # [T, D, B, 1]
        states = recur(GRURecurrence, w.dtype, inputs, state, w, b, mask)
    return states.permute(1, 2, 0, 3).unbind(), states[-1]


def fits_kernels(inputs: Tensor, weights: Tensor) -> bool:
    """Whether the compiled kernels support a GRU with these U [D, 3H, H] and inputs of the gates."""
    return takes_kernels(inputs, weights.dtype) and weights.shape[2] % LANES == 0


def unrolled(cell: Cell, x: Tensor, lengths: Tensor, state: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """One direction by the cell's equations, step by step: [B, S] -> [B, T, H], [B, S]. A row keeps its state at its padding."""
    w_ih, w_hh, b_ih, b_hh, *peepholes = weights
    size, outputs = w_hh.shape[1], []
    inputs, mask = functional.linear(x, w_ih, b_ih), length_mask(lengths, x.shape[1])[:, :, None]
    for t in range(x.shape[1]):
        recurrent = functional.linear(state[:, :size], w_hh, b_hh)
        state = torch.where(mask[:, t], cell.step(inputs[:, t], recurrent, state, *peepholes), state)
        outputs.append(state[:, :size])
    return torch.stack(outputs, 1), state
