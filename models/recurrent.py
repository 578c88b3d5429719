"""GRU over ragged batches: rows of different lengths, padded to the longest."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.recurrence import GRURecurrence, recur


class RaggedGRU(nn.Module):
    """One GRU layer (Cho et al. 2014, arXiv 1406.1078) that neither reads nor writes a row's padding.

    With x_t the input and * the elementwise product:
        r_t = sigmoid(W_r x_t + U_r h_{t-1} + b_r)
        z_t = sigmoid(W_z x_t + U_z h_{t-1} + b_z)
        n_t = tanh(W_n x_t + r_t * (U_n h_{t-1}) + b_n)
        h_t = (1 - z_t) * n_t + z_t * h_{t-1}

    Args:
        input_size: size of x_t.
        hidden_size: size H of h_t.
        bidirectional: run a second layer from each row's last unit to its first and concatenate the two states.
    """

    def __init__(self, input_size: int, hidden_size: int, *, bidirectional: bool = False) -> None:
        super().__init__()
        self.bidirectional = bidirectional
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True, bidirectional=bidirectional)

    def forward(self, x: Tensor, lengths: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run the layer.

        Args:
            x: [B, T, input_size].
            lengths: [B], each row's number of units, at least 1.
            state: h_0, [D, B, H] with D the number of directions; zeros if None.

        Returns:
            outputs: [B, T, D * H], zero at the padding.
            final: [D, B, H], the state after each row's last unit (of the second direction: after its first).
        """
        if torch.compiler.is_exporting():
            zeros = x.new_zeros(2 if self.bidirectional else 1, x.shape[0], self.gru.hidden_size)
            whole: tuple[Tensor, Tensor] = ragged_gru(
                x, lengths, zeros if state is None else state, self._weights(), self.bidirectional
            )
            return whole
        if x.is_cuda:
            packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
            outputs, final = self.gru(packed, state)
            return pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])[0], final
        return self._recurrence(x, lengths, state)

    def _recurrence(self, x: Tensor, lengths: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """The same on a CPU, where a packed sequence's backward pass takes a time that grows with T squared."""
        w_ih, w_hh, b_ih, b_hh = zip(*self.gru.all_weights, strict=True)  # each: one tensor a direction
        mask = length_mask(lengths, x.shape[1])  # [B, T]
        views = (x, _turn(x, lengths)) if self.bidirectional else (x,)
        inputs = [functional.linear(view.transpose(0, 1), w, b) for view, w, b in zip(views, w_ih, b_ih, strict=True)]
        first = w_hh[0].new_zeros(len(views), len(x), self.gru.hidden_size) if state is None else state
        steps = mask.t()[:, None, :, None].expand(-1, len(views), -1, -1)  # [T, D, B, 1]
        states = recur(GRURecurrence, w_hh[0].dtype, torch.stack(inputs, 1), first, torch.stack(w_hh), torch.stack(b_hh), steps)
        outputs = [states[:, 0].transpose(0, 1)]
        if self.bidirectional:
            outputs.append(_turn(states[:, 1].transpose(0, 1), lengths))
        return torch.cat(outputs, -1) * mask[:, :, None], states[-1]

    def _weights(self) -> list[Tensor]:
        """W_ih, W_hh, b_ih, b_hh of each direction, gates in torch's order r, z, n."""
        return [weight for layer in self.gru.all_weights for weight in layer]


@torch.library.custom_op("seqline::ragged_gru", mutates_args=())
def ragged_gru(x: Tensor, lengths: Tensor, state: Tensor, weights: list[Tensor], bidirectional: bool) -> tuple[Tensor, Tensor]:
    """The same layer as one operator: torch.export would freeze T inside a packed sequence, but keeps an operator whole.

    Shapes as in `RaggedGRU.forward`; `weights` as in `RaggedGRU._weights`.
    """
    packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    batch_sizes, order, undo = packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
    if order is None or undo is None:  # never: enforce_sorted=False makes both
        raise AssertionError
    outputs, final = torch.gru(packed.data, batch_sizes, state[:, order], weights, True, 1, 0.0, False, bidirectional)
    repacked = nn.utils.rnn.PackedSequence(outputs, batch_sizes, order, undo)
    return pad_packed_sequence(repacked, batch_first=True, total_length=x.shape[1])[0], final[:, undo].contiguous()


@ragged_gru.register_fake
def _shapes(x: Tensor, _lengths: Tensor, state: Tensor, _weights: list[Tensor], _bidirectional: bool) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape[0], x.shape[1], state.shape[0] * state.shape[2]), torch.empty_like(state)


def _turn(x: Tensor, lengths: Tensor) -> Tensor:
    """Each row's units from its last to its first, its padding where it was: [B, T, size] -> [B, T, size]."""
    positions = torch.arange(x.shape[1], device=x.device)[None, :]
    mirrored = lengths[:, None] - 1 - positions
    return x.gather(1, torch.where(mirrored < 0, positions, mirrored)[:, :, None].expand_as(x))


def length_mask(lengths: Tensor, longest: int) -> Tensor:
    """True where a row has a unit, False at its padding: [B] -> [B, longest]."""
    return torch.arange(longest, device=lengths.device)[None, :] < lengths[:, None]
