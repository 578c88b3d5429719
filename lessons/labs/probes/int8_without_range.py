"""Multiply bytes as a CPU without VNNI does: pairs of products are added in 16 bits, and what exceeds these is cut off."""

import torch

from models.translation.int8 import Int8Affine

torch.manual_seed(0)
layer = Int8Affine(torch.randn(64, 256), torch.zeros(64), 1.0)
x = torch.randint(128, 256, (1, 256), dtype=torch.int64)  # unsigned bytes above the middle: inputs above zero
products = x[..., None] * layer.weight.to(torch.int64)  # [1, in, out]
pairs = products.reshape(1, -1, 2, products.shape[-1]).sum(2)
cut = pairs.clamp(-(2**15), 2**15 - 1)
print(f"largest |w|: {int(layer.weight.to(torch.int64).abs().max())}")
print(f"sums of pairs that do not fit into 16 bits: {int((pairs != cut).sum())} of {pairs.numel()}")
