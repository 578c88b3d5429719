"""What a sentence of three units gives to ten places of padding behind it."""

import torch

from models.attention.multiplicative import DotAttention

torch.manual_seed(0)
attention, query, units = DotAttention(8, 8), torch.randn(1, 1, 8), torch.randn(1, 3, 8)
memory, mask = torch.cat((units, torch.zeros(1, 10, 8)), 1), torch.arange(13)[None] < 3
alone, _ = attention(query, *attention.prepare(units), mask[:, :3])
padded, weights = attention(query, *attention.prepare(memory), mask)
print(f"weight of the padding: {float(weights[0, 0, 3:].sum()):.2f}")
print(f"the context moves by up to {float((padded - alone).abs().max()):.2f}")
