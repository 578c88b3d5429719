"""Ragged batches: rows of different lengths, padded at the end to the longest."""

import torch
from torch import Tensor


def length_mask(lengths: Tensor, longest: int) -> Tensor:
    """True where a row has a unit, False at its padding: [B] -> [B, longest]."""
    return torch.arange(longest, device=lengths.device)[None, :] < lengths[:, None]


def turn(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each row's units, and leave the padding in place: [B, T, size] -> [B, T, size]."""
    positions = torch.arange(x.shape[1], device=x.device)[None, :]
    mirrored = lengths[:, None] - 1 - positions
    return x.gather(1, torch.where(mirrored < 0, positions, mirrored)[:, :, None].expand_as(x))


def last(x: Tensor, lengths: Tensor) -> Tensor:
    """Each row's last unit: [B, T, size] -> [B, size]."""
    return x.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, x.shape[2]))[:, 0]
