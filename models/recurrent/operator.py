"""A layer as a custom torch operator, which torch.export keeps whole: a loop over T would be unrolled, or T fixed."""

import torch
from torch import Tensor

from models.recurrent.paths import run


@torch.library.custom_op("seqline::recurrent", mutates_args=())
def recurrent(x: Tensor, lengths: Tensor, state: Tensor, weights: list[Tensor], cell: str) -> tuple[Tensor, Tensor]:
    """Outputs and final state, without gradients. Shapes as in models.recurrent.paths."""
    outputs, final = run(cell, x, lengths, state, weights)
    return outputs, final.clone()  # not a view of all states


@recurrent.register_fake
def _shapes(x: Tensor, _lengths: Tensor, state: Tensor, weights: list[Tensor], _cell: str) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape[0], x.shape[1], state.shape[0] * weights[1].shape[1]), torch.empty_like(state)
