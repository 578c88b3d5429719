"""Affine maps in int8."""

import math

import torch
import torch.ao.quantization.fx._decomposed  # registers the operators below
from torch import Tensor, nn

from models.recurrent.affine import Affine, exact

LEVELS = 127  # of a magnitude
MIDDLE = 128  # what stands for 0 among the bytes of x

quantized = torch.ops.quantized_decomposed


def int8(weight: Tensor, bias: Tensor, bound: float) -> Affine:
    """The same by Int8Affine; as it is where nothing bounds x."""
    return Int8Affine(weight, bias, bound) if bound < math.inf else exact(weight, bias, bound)


class Int8Affine(nn.Module):
    """W x + b from bytes, which a CPU multiplies several times as fast as float32 (Jacob et al. 2018, arXiv 1712.05877).

        W_ij ~ s_i w_ij    with s_i = max over j of |W_ij| / 127 and w_ij a whole number
        x_j  ~ (bound / 127) q_j

    The scale of x is known beforehand, so that what comes of a row does not depend on the others in the batch. Here, in eager
    torch, all is computed in float32 from the rounded numbers; onnxruntime multiplies the whole numbers.

    Args:
        weight: W, [out, in].
        bias: b, [out].
        bound: the largest |x_j| there can be; beyond it, x is cut off.
    """

    weight: Tensor
    scales: Tensor
    zeros: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, bound: float) -> None:
        super().__init__()
        weight = weight.detach()
        scales = weight.abs().amax(1).clamp(min=torch.finfo(weight.dtype).tiny) / LEVELS
        self.register_buffer("weight", (weight / scales[:, None]).round().to(torch.int8).t().contiguous())
        self.register_buffer("scales", scales)
        self.register_buffer("zeros", torch.zeros(len(scales), dtype=torch.int64))
        self.register_buffer("bias", bias.detach())
        self.scale = bound / LEVELS

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        form = (self.scale, MIDDLE, 0, 255, torch.uint8)
        rounded = quantized.dequantize_per_tensor(quantized.quantize_per_tensor(x, *form), *form)
        weight = quantized.dequantize_per_channel(self.weight, self.scales, self.zeros, 1, -LEVELS, LEVELS, torch.int8)
        y: Tensor = rounded @ weight + self.bias
        return y
