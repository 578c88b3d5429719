"""Truncated backpropagation through time: the state goes on, the gradient does not."""

import torch
from torch import Tensor

from models.recurrent.layer import Recurrent


def truncated(layer: Recurrent, x: Tensor, lengths: Tensor, state: Tensor | None, steps: int) -> tuple[Tensor, Tensor]:
    """Run a layer over pieces of its input, each from the state that the piece before it ended in.

    A loss at unit t then has gradients with respect to the units of t's own piece alone (Williams and Peng 1990; with a step's
    gradient taken once a piece, the h' = h of their section 4). What is computed is the same.

    Args:
        layer: in one direction: the other one would have to begin with the last piece.
        x: [B, T, d].
        lengths: [B].
        state: as in `Recurrent`.
        steps: units in a piece.

    Returns:
        outputs and final state, as of `Recurrent`.

    Raises:
        ValueError: the layer reads in both directions.
    """
    if layer.directions > 1:
        raise ValueError("a network that reads in both directions has no state to carry from one piece to the next")
    outputs, final = [], state
    for start in range(0, x.shape[1], steps):
        piece, left = x[:, start : start + steps], lengths - start
        running = left > 0  # [B]; a row that has ended reads a unit of padding, which is then forgotten
        carried = None if final is None else final.detach() if start else final
        read, reached = layer(piece, left.clamp(1, piece.shape[1]), carried)
        outputs.append(read * running[:, None, None])
        final = reached if final is None else torch.where(running[None, :, None], reached, final)
    if final is None:  # never: T is at least 1
        raise AssertionError
    return torch.cat(outputs, 1), final
