"""Truncated backpropagation through time: the state is carried on, the gradient is cut."""

import torch
from torch import Tensor

from models.recurrent.layer import Recurrent


def truncated(layer: Recurrent, x: Tensor, lengths: Tensor, state: Tensor | None, steps: int) -> tuple[Tensor, Tensor]:
    """Run a layer over chunks of its input, each from the final state of the previous chunk.

    A loss at unit t then has gradients only with respect to the units of its own chunk (Williams and Peng 1990; with one gradient
    per chunk, the h' = h of their section 4). The outputs are the same as without truncation.

    Args:
        layer: in one direction: the other one would have to start from the last chunk.
        x: [B, T, d].
        lengths: [B].
        state: as in `Recurrent`.
        steps: units in a chunk.

    Returns:
        Outputs and final state, as of `Recurrent`.

    Raises:
        ValueError: the layer reads in both directions.
    """
    if layer.directions > 1:
        raise ValueError("a bidirectional network has no state to carry from one chunk to the next")
    outputs, final = [], state
    for start in range(0, x.shape[1], steps):
        piece, left = x[:, start : start + steps], lengths - start
        running = left > 0  # [B]; a row that has ended reads one unit of padding, and the result is discarded
        carried = None if final is None else final.detach() if start else final
        read, reached = layer(piece, left.clamp(1, piece.shape[1]), carried)
        outputs.append(read * running[:, None, None])
        final = reached if final is None else torch.where(running[None, :, None], reached, final)
    if final is None:  # never: T is at least 1
        raise AssertionError
    return torch.cat(outputs, 1), final
