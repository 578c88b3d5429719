"""The largest of ten weights, on average over 1,000 random queries of 256 numbers."""

import torch

from models.attention.multiplicative import DotAttention, ScaledDotAttention

torch.manual_seed(0)
query, memory, mask = torch.randn(1, 1000, 256), torch.randn(1, 10, 256), torch.ones(1, 10, dtype=torch.bool)
for name, attention in (("dot product", DotAttention(256, 256)), ("scaled", ScaledDotAttention(256, 256))):
    _, weights = attention(query, *attention.prepare(memory), mask)
    print(f"{name}: {float(weights.amax(2).mean()):.2f}", end=", " if name == "dot product" else "\n")
