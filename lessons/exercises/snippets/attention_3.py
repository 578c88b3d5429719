"""Shuffle the positions that attend to each other."""

import torch

from models.attention.multiplicative import ScaledDotAttention
from models.attention.self_attention import SelfAttention

torch.manual_seed(0)
attend, x, mask = SelfAttention(ScaledDotAttention(8, 8)), torch.randn(1, 6, 8), torch.ones(1, 6, dtype=torch.bool)
order = torch.tensor([3, 0, 5, 1, 4, 2])
before, after = attend(x, mask)[0], attend(x[:, order], mask)[0]
same_place, moved_along = (before - after).abs().max(), (before[:, order] - after).abs().max()
print(f"differences at the same places up to {float(same_place):.3f}, between moved rows up to {float(moved_along):.3f}")
