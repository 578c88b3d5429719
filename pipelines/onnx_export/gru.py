"""ONNX for `seqline::ragged_gru`: the standard's own GRU operator, which takes the rows' lengths."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import opset20

op: Any = opset20  # its type hints describe a script's values; here it builds a graph while the exporter traces


def translation_table() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What torch.onnx.export needs to know to write a RaggedGRU."""
    return {torch.ops.seqline.ragged_gru.default: _ragged_gru}


def _ragged_gru(x: Any, lengths: Any, state: Any, weights: Sequence[Any], bidirectional: bool) -> tuple[Any, Any]:
    """Build the operator's inputs from torch's. Shapes as in models.recurrent; ONNX puts time first and directions second.

    ONNX writes the update gate as torch does, h_t = (1 - z) * n + z * h, but the gates in the order z, r, n.
    `linear_before_reset` is torch's place for the reset gate: behind the recurrent product.
    """
    directions = [weights[i : i + 4] for i in range(0, len(weights), 4)]
    stacked = [op.Concat(*(op.Unsqueeze(_reorder(d[k]), [0]) for d in directions), axis=0) for k in range(4)]
    w_ih, w_hh, b_ih, b_hh = stacked
    outputs, final = op.GRU(
        op.Transpose(x, perm=[1, 0, 2]),
        w_ih,
        w_hh,
        op.Concat(b_ih, b_hh, axis=1),
        op.Cast(lengths, to=6),  # int32
        state,
        direction="bidirectional" if bidirectional else "forward",
        hidden_size=weights[1].shape[1],
        linear_before_reset=1,
    )
    batch_first = op.Transpose(outputs, perm=[2, 0, 1, 3])  # [T, D, B, H] -> [B, T, D, H]
    return op.Reshape(batch_first, [0, 0, -1]), final


def _reorder(weight: Any) -> Any:
    """Rows of the gates r, z, n -> z, r, n."""
    size = weight.shape[0] // 3
    reset, update, candidate = (op.Slice(weight, [k * size], [(k + 1) * size], [0]) for k in range(3))
    return op.Concat(update, reset, candidate, axis=0)
