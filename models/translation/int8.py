"""Affine maps in int8."""

import math

import torch
import torch.ao.quantization.fx._decomposed  # registers the operators below
from torch import Tensor, nn

from models.recurrent.affine import Affine, exact

LEVELS = 127  # of |x|
WEIGHT_LEVELS = 64  # of |W|: 7 bits, see Int8Affine
MIDDLE = 128  # zero point: represents 0 in the bytes of x

quantized = torch.ops.quantized_decomposed


def int8(weight: Tensor, bias: Tensor, bound: float) -> Affine:
    """W x + b as Int8Affine, or exact if x is not bounded."""
    return Int8Affine(weight, bias, bound) if bound < math.inf else exact(weight, bias, bound)


class Int8Affine(nn.Module):
    """W x + b in int8, which a CPU multiplies several times as fast as float32 (Jacob et al. 2018, arXiv 1712.05877).

        W_ij ~ s_i w_ij    with s_i = max over j of |W_ij| / 64 and w_ij an integer
        x_j  ~ (bound / 127) (q_j - 128)    with q_j an unsigned byte

    |w_ij| is at most 64, not 127, so that every CPU computes the same. Without VNNI, an x86-64 CPU multiplies unsigned bytes by
    signed ones with VPMADDUBSW, which adds two products in 16 bits and saturates at 32,767. Two products are at most
    2 * 255 * 64 = 32,640 in magnitude, and so never saturate; with 127 they reach 2 * 255 * 127 = 64,770. All sums after this one
    have 32 bits, which no layer of less than 2^31 / (255 * 64) = 131,586 inputs exceeds. The zero point is subtracted from the
    sums, in 32 bits too.

    The scale of x is fixed in advance, so that the result of a row does not depend on the others in the batch. In eager torch,
    everything is computed in float32 from the rounded numbers; onnxruntime multiplies the integers.

    Args:
        weight: W, [out, in].
        bias: b, [out].
        bound: largest possible |x_j|; larger values are clipped.
    """

    weight: Tensor
    scales: Tensor
    zeros: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, bound: float) -> None:
        super().__init__()
        weight = weight.detach()
        scales = weight.abs().amax(1).clamp(min=torch.finfo(weight.dtype).tiny) / WEIGHT_LEVELS
        self.register_buffer("weight", (weight / scales[:, None]).round().to(torch.int8).t().contiguous())
        self.register_buffer("scales", scales)
        self.register_buffer("zeros", torch.zeros(len(scales), dtype=torch.int64))
        self.register_buffer("bias", bias.detach())
        self.scale = bound / LEVELS

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        form = (self.scale, MIDDLE, 0, 255, torch.uint8)
        rounded = quantized.dequantize_per_tensor(quantized.quantize_per_tensor(x, *form), *form)
        weight = quantized.dequantize_per_channel(
            self.weight, self.scales, self.zeros, 1, -WEIGHT_LEVELS, WEIGHT_LEVELS, torch.int8
        )
        y: Tensor = rounded @ weight + self.bias
        return y
