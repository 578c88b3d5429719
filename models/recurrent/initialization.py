"""Initial values of the gates' biases, for a given range of dependencies."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import nn

from models.recurrent.layer import Recurrent

# The sign of each gate's bias, in torch's order; 0: the bias is not changed. A GRU's z_t is the share that is kept, whereas the
# paper's gate is the share that is let in.
SIGNS: Mapping[str, Sequence[int]] = {
    "lstm": (-1, 1, 0, 0),  # i, f, g, o
    "peephole": (-1, 1, 0, 0),
    "gru": (0, 1, 0),  # r, z, n
}


@torch.no_grad()
def chrono_(layer: Recurrent, longest: int) -> None:
    """Chrono initialization (Tallec and Ollivier 2018, arXiv 1804.11188, section 2), in place.

    With only the bias b = log u, a gate keeps the share u / (1 + u) of a unit at each step, so that the unit decays within
    about 1 + u steps. u is drawn uniformly from [1, T - 1] for each unit: together they remember from 2 to T steps.

    LSTM: b_f = log u, b_i = -b_f. GRU: b_z = log u. The other gates and all weights are not changed.

    Args:
        layer: of a cell with gates.
        longest: T, length of the longest expected dependency in steps; at least 3.

    Raises:
        ValueError: the cell has no gates, or T is too short.
    """
    if layer.cell not in SIGNS:
        raise ValueError(f"{layer.cell} has no gates to initialize")
    if longest < 3:
        raise ValueError(f"T = {longest}, but it must be at least 3")
    signs = SIGNS[layer.cell]
    for holder in layer.layers:
        for _, _, b_ih, b_hh in cast(nn.RNNBase, holder).all_weights:
            drawn = b_ih.new_empty(len(b_ih) // len(signs)).uniform_(1, longest - 1).log()  # [H]
            for sign, bias, bias_too in zip(signs, b_ih.chunk(len(signs)), b_hh.chunk(len(signs)), strict=True):
                if sign:
                    bias.copy_(sign * drawn)
                    bias_too.zero_()  # the two are added
