"""The weights where no position is preferred."""

import torch

from models.attention.multiplicative import DotAttention

attention, memory = DotAttention(8, 8), torch.randn(1, 5, 8)
mask = torch.tensor([[True, True, True, True, False]])  # the last position is padding
_, weights = attention(torch.zeros(1, 1, 8), *attention.prepare(memory), mask)
print(f"the weight of the first position: {float(weights[0, 0, 0]):.3f}")
