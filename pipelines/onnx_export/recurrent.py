"""Translates `seqline::recurrent` to the ONNX standard operators RNN, LSTM and GRU, which take the rows' lengths."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import opset20

import models.recurrent.operator  # noqa: F401 - registers it with torch
from models.recurrent.cells import CELLS

op: Any = opset20  # its type hints are for scripts; here it builds a graph while the exporter traces

# Torch's gates in ONNX's order
GRU_GATES = (1, 0, 2)  # r, z, n -> z, r, n
LSTM_GATES = (0, 3, 1, 2)  # i, f, g, o -> i, o, f, g
PEEPHOLES = (0, 2, 1)  # i, f, o -> i, o, f


def translation_table() -> dict[Callable[..., Any], Callable[..., Any]]:
    """The `custom_translation_table` for torch.onnx.export, with the translation of a Recurrent."""
    return {torch.ops.seqline.recurrent.default: _recurrent}


def _recurrent(x: Any, lengths: Any, state: Any, weights: Sequence[Any], cell: str) -> tuple[Any, Any]:
    """Build the operator's inputs from torch's. Shapes as in models.recurrent.paths; ONNX puts time first, directions second."""
    kind, directions, size = CELLS[cell], state.shape[0], weights[1].shape[1]
    count = len(weights) // directions
    each = [weights[i : i + count] for i in range(0, len(weights), count)]
    order = {"lstm": LSTM_GATES, "peephole": LSTM_GATES, "gru": GRU_GATES}.get(cell, (0,))
    w_ih, w_hh, b_ih, b_hh = (_stacked([w[k] for w in each], order) for k in range(4))
    inputs = (op.Transpose(x, perm=[1, 0, 2]), w_ih, w_hh, op.Concat(b_ih, b_hh, axis=1), op.Cast(lengths, to=6))  # int32
    options = {"direction": "bidirectional" if directions == 2 else "forward", "hidden_size": size}
    if cell == "gru":
        # z_t is the same as in torch; `linear_before_reset` applies the reset gate after the product with U, as torch does.
        outputs, final = op.GRU(*inputs, state, linear_before_reset=1, **options)
    elif kind.parts == 2:
        h, c = (op.Slice(state, [k * size], [(k + 1) * size], [2]) for k in range(2))
        peepholes = [_stacked([w[4] for w in each], PEEPHOLES)] if kind.peepholes else []
        outputs, h, c = op.LSTM(*inputs, h, c, *peepholes, **options)
        final = op.Concat(h, c, axis=2)
    else:
        activation = "Relu" if cell == "rnn_relu" else "Tanh"
        outputs, final = op.RNN(*inputs, state, activations=[activation] * directions, **options)
    batch_first = op.Transpose(outputs, perm=[2, 0, 1, 3])  # [T, D, B, H] -> [B, T, D, H]
    return op.Reshape(batch_first, [0, 0, -1]), final


def _stacked(weights: Sequence[Any], order: Sequence[int]) -> Any:
    """The same weight of all directions, with gates in this order: D of [G * H, ...] -> [D, G * H, ...]."""
    return op.Concat(*(op.Unsqueeze(_reordered(weight, order), [0]) for weight in weights), axis=0)


def _reordered(weight: Any, order: Sequence[int]) -> Any:
    """The rows of the gates in another order, [G * H, ...]."""
    size = weight.shape[0] // len(order)
    return op.Concat(*(op.Slice(weight, [k * size], [(k + 1) * size], [0]) for k in order), axis=0)
