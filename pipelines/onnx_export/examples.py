"""Building blocks of example inputs: random ids, ragged lengths and their dynamic dimensions."""

import torch

from models.text.special import SPECIAL_TOKENS

ROWS, UNITS = {0: "batch"}, {0: "batch", 1: "length"}


def ids(size: int, *shape: int) -> torch.Tensor:
    """Random ids of a vocabulary of this size, without special tokens."""
    return torch.randint(len(SPECIAL_TOKENS), size, shape)


def lengths(batch: int, longest: int) -> torch.Tensor:
    """Ragged lengths from 1 to `longest`, the first row the longest."""
    return torch.cat((torch.tensor([longest]), torch.randint(1, longest + 1, (batch - 1,))))
